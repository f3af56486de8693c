"""Everything that code, document and tests cite exists: sections of the contract, decisions, pages and modules."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import ROOT

FOLDERS = ("app", "handlers", "models", "migrations", "tests", "benchmarks", "openapi", "docs")
NUMBER = r"\d+(?:\.\d+)?"
LIST = rf"{NUMBER}(?:(?:,|\s+and)\s+{NUMBER})*"
SECTION = re.compile(rf"contract(?:,|'s\s+wording)\s+\(?(?:sections?\s+({LIST})|(introduction))")
HEADING = re.compile(rf"^#+ (?:({NUMBER})\.? |(Introduction)$)", re.MULTILINE)
DECISION = re.compile(r"decisions/(\d{4})")
FILE = re.compile(r"(?<![\w/.])((?:app|handlers|models|openapi|tests|benchmarks|docs)/[\w/.-]+\.(?:py|md|yaml))\b")
RULE_ID = re.compile(r"^test_[a-z]{1,2}\d+_")


def sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix in {".py", ".yaml", ".md"} and "node_modules" not in file.parts:
                yield file


def citations(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return each file that cites something by `pattern`, with what it cites."""
    return [
        (str(file.relative_to(ROOT)), next(group for group in match.groups() if group))
        for file in sources()
        for match in pattern.finditer(file.read_text())
    ]


def test_cited_sections_of_the_contract_exist() -> None:
    page = (ROOT / "docs/contract.md").read_text()
    sections = {number or name.lower() for number, name in HEADING.findall(page)}
    cited = [(file, part) for file, text in citations(SECTION) for part in re.findall(NUMBER, text) or [text]]

    assert [citation for citation in cited if citation[1] not in sections] == []
    assert len(cited) > 50


def test_sections_that_the_contract_refers_to_exist() -> None:
    page = (ROOT / "docs/contract.md").read_text()
    own_page = re.sub(r"RFC \d+, section [\d.]+", "", page)

    assert set(re.findall(rf"\bsection ({NUMBER})", own_page)) <= {number for number, _ in HEADING.findall(page)}


def test_cited_decisions_exist() -> None:
    numbers = {page.name[:4] for page in (ROOT / "docs/decisions").glob("0*.md")}

    assert [citation for citation in citations(DECISION) if citation[1] not in numbers] == []


def test_cited_files_exist() -> None:
    assert [citation for citation in citations(FILE) if not (ROOT / citation[1]).exists()] == []


def test_no_test_is_named_by_an_id() -> None:
    for file in (ROOT / "tests").rglob("test_*.py"):
        functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
        assert [function.name for function in functions if RULE_ID.match(function.name)] == [], file
