"""The shape of the source: the size of functions and files, and the one place of each concern."""

import ast
import re
import statistics
from pathlib import Path

import pytest

from tests.support.servers import ROOT

SOURCES = sorted(file for folder in ("app", "handlers", "models") for file in (ROOT / folder).rglob("*.py"))
REVISIONS = sorted((ROOT / "migrations").rglob("*.py"))
DATA_FILES = {"catalogue.py"}  # a table of products, not code
DIALECT = re.compile(r"dialect\.name|dialect [!=]= |is_sqlite|drivername ==|get_backend_name|\"(sqlite|postgresql)\"")
# The only files that distinguish SQLite and PostgreSQL.
DIALECT_FILES = {
    "app/config.py",  # the URL
    "app/db.py",  # engines, locks
    "app/product_import/staging.py",  # locks of an import, statistics for the planner
    "app/queries/online_indexes.py",
    "app/queries/opening_rows.py",  # random ids
    "app/queries/search.py",
    "app/queries/search_index.py",
    "app/reports/sales.py",  # chooses the statement of `sql.py`
    "app/reports/sql.py",
    "migrations/column_types.py",
    "migrations/versions/0002_orders.py",  # triggers
    "migrations/versions/0009_inventory_movements.py",  # triggers
    "migrations/versions/0012_keys_and_seals.py",  # triggers
    "models/base.py",  # column types
}


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def function_sizes(file: Path) -> dict[str, int]:
    """Return the lines of each function by its location."""
    return {
        f"{relative(file)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }


def imported_modules(file: Path) -> set[str]:
    """Return the top-level packages that a file imports from."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def test_functions_are_short() -> None:
    sizes = {name: size for file in SOURCES for name, size in function_sizes(file).items()}

    assert {name: size for name, size in sizes.items() if size > 40} == {}
    assert statistics.median(sizes.values()) <= 10


def test_files_are_short() -> None:
    files = [file for file in SOURCES if file.name not in DATA_FILES]
    sizes = {relative(file): len(file.read_text().splitlines()) for file in files}

    assert {name: size for name, size in sizes.items() if size > 250} == {}


def test_handlers_are_thin() -> None:
    sizes = [size for file in (ROOT / "handlers").glob("*.py") for size in function_sizes(file).values()]

    assert max(sizes) <= 10


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"\.commit\(", {"db.py", "commit_group.py", "sqlite.py", "writing.py", "pipeline.py"}),
        (r"create_engine\(", {"db.py", "sqlite.py"}),
        (r"flask\.request", {"dispatch.py"}),
        (
            r"\.company_id ==|c\.company_id ==",
            {"tenant.py", "keys.py", "ordered_products.py", "company.py", "unsealed_entries.py"},
        ),
        (r"os\.environ", {"config.py", "metrics.py", "counter_directory.py"}),
        (r"datetime\.now\(|utcnow\(", {"context.py"}),
    ],
)
def test_each_concern_has_one_place(pattern: str, places: set[str]) -> None:
    assert {file.name for file in SOURCES if re.search(pattern, file.read_text())} <= places


def test_only_named_files_distinguish_the_databases() -> None:
    found = {relative(file) for file in (*SOURCES, *REVISIONS) if DIALECT.search(file.read_text())}

    assert found == DIALECT_FILES


@pytest.mark.parametrize("file", REVISIONS, ids=relative)
def test_a_revision_does_not_depend_on_code_that_changes(file: Path) -> None:
    assert imported_modules(file) <= {"alembic", "collections", "migrations", "sqlalchemy"}


def test_no_function_swallows_an_error() -> None:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ExceptHandler):
                is_empty = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                assert not is_empty, f"{file}:{node.lineno}"


def test_every_module_has_a_docstring() -> None:
    assert [file.name for file in SOURCES if ast.get_docstring(ast.parse(file.read_text())) is None] == []


def test_lock_files_name_no_download_location() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    assert '"resolved"' not in (ROOT / "openapi/lint/package-lock.json").read_text()
