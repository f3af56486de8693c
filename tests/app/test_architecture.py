"""Shape: sizes that fit in the head, one place for each concern, a project that speaks of itself alone."""

import ast
import re
import statistics
from pathlib import Path

import pytest

from tests.support.servers import ROOT

SOURCES = sorted(file for folder in ("app", "handlers", "models") for file in (ROOT / folder).rglob("*.py"))
DATA = {"catalogue.py"}  # a table of goods, not code


def functions(file: Path) -> list[tuple[str, int]]:
    tree = ast.parse(file.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    place = file.relative_to(ROOT)
    return [
        (f"{place}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1) for node in found if node.end_lineno
    ]


def test_functions_are_short() -> None:
    sizes = {name: size for file in SOURCES for name, size in functions(file)}

    assert {name: size for name, size in sizes.items() if size > 45} == {}
    assert statistics.median(sizes.values()) <= 10


def test_files_are_short() -> None:
    files = [file for file in SOURCES if file.name not in DATA]
    sizes = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}

    assert {name: size for name, size in sizes.items() if size > 250} == {}


def test_handlers_are_thin() -> None:
    assert all(size <= 10 for file in (ROOT / "handlers").glob("*.py") for _, size in functions(file))


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"\.commit\(", {"db.py"}),
        (r"create_engine\(", {"db.py"}),
        (r"flask\.request", {"dispatch.py"}),
        (r"\.company_id ==|c\.company_id ==", {"tenant.py", "keys.py", "inventory.py", "company.py"}),
        (r"os\.environ", {"config.py", "metrics.py", "counter_folder.py"}),
        (r"datetime\.now\(|utcnow\(", {"context.py"}),
    ],
)
def test_each_concern_has_one_place(pattern: str, places: set[str]) -> None:
    assert {file.name for file in SOURCES if re.search(pattern, file.read_text())} <= places


def test_no_function_swallows_an_error() -> None:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ExceptHandler):
                assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), f"{file}:{node.lineno}"


def test_every_module_says_what_it_is_for() -> None:
    assert [file.name for file in SOURCES if ast.get_docstring(ast.parse(file.read_text())) is None] == []


def test_lock_files_name_no_place_to_download_from() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    assert '"resolved"' not in (ROOT / "openapi/lint/package-lock.json").read_text()
