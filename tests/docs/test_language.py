"""One word per idea: words that docs/glossary.md replaces stay out of code, document, documentation and tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT

FOLDERS = ("app", "handlers", "models", "migrations", "openapi", "docs", "tests", "benchmarks", ".ci")
SUFFIXES = {".py", ".yaml", ".md", ".mako", ".js", ".mjs", ".html", ".css", ".sh"}
SINGLE_FILES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "setup.cfg",
    "pyproject.toml",
    ".env.example",
)

# A phrase also matches as a part of an identifier and across the end of a line.
REPLACEMENTS = {
    "tell|tells|telling|told": "notify, return, report, say, distinguish",
    "twin|twins": "duplicate request, concurrent request, copy",
    "anew": "again, rebuild",
    "whoever|somebody|nobody": "anyone, the caller, the client",
    "by and by": "gradually",
    "(?:is|are|was|were|be) away": "unavailable",
    "of (?:its|their|your|our|one's) own": "separate, dedicated, its own limit",
    "under way": "in flight, running",
    "(?:draw|draws|drawn|drew)(?: a| an| the| its| new| another)*(?: key| secret| id| name| number)s?": "generate",
    "buyers": "customers",
    "(?<!stored_)(?:answer|answers|answered|answering)": "response, return, respond",
    r"(?<!in\sa\s)(?:moment|moments)": "time, timestamp, now",
    "(?<!limit_)(?:fault|faults)": "error, error detail, failure",
    "look-up|look-ups": "lookup",
    "beside": "alongside, in addition to, next to",
    "judge|judges|judged": "validate, check",
    "foreign (?:id|ids|cursor|cursors)": "an id of another company",
}
SPACE = r"[\s_#]+"
BANNED = {
    re.compile(rf"(?<![a-z])(?:{phrase.replace(' ', SPACE)})(?![a-z])", re.IGNORECASE): instead
    for phrase, instead in REPLACEMENTS.items()
}

# Pages about the words, and data that is not ours to word.
EXEMPT = {"CONTRIBUTING.md", "docs/glossary.md", "tests/docs/test_language.py"}


def sources() -> list[Path]:
    """Return the files that people write and read."""
    found = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in SUFFIXES]
    files = [*found, *(ROOT / name for name in SINGLE_FILES)]
    return sorted(file for file in files if "node_modules" not in file.parts)


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


SOURCES = [file for file in sources() if relative(file) not in EXEMPT]


def banned_words(text: str) -> Iterator[str]:
    """Yield each banned phrase with its line and what to write instead."""
    for pattern, instead in BANNED.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"line {line}: {match[0]!r}, instead: {instead}"


def variable_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield name


@pytest.mark.parametrize("file", SOURCES, ids=relative)
def test_banned_words_are_absent(file: Path) -> None:
    assert list(banned_words(file.read_text())) == []


@pytest.mark.parametrize("file", [file for file in SOURCES if file.suffix == ".py"], ids=relative)
def test_no_variable_is_named_each(file: Path) -> None:
    assert "each" not in variable_names(ast.parse(file.read_text()))


@pytest.mark.parametrize("text", ["They are told.", "as_they_are_told()", "a key of its\n# own", "ensure(anew=True)"])
def test_a_banned_word_is_found(text: str) -> None:
    assert list(banned_words(text))


def test_a_longer_word_is_not_banned() -> None:
    assert list(banned_words("The winter storyteller retold anewness; the teller withdrew cash.")) == []
