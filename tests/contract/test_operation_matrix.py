"""docs/operations.md: every operation has its cells, and every test that they name exists."""

import re
import subprocess
import sys

import pytest

from app.spec import Operation
from tests.contract import operation_matrix
from tests.contract.operation_changes import CHANGES
from tests.contract.operation_matrix import ALL_OPERATIONS, COLUMNS
from tests.support.requests import OPERATIONS
from tests.support.servers import ROOT

PAGE = operation_matrix.PAGE.read_text()
WRITES = {operation.id for operation in OPERATIONS.values() if not operation.is_read_only}


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Return the node ids of the tests in all files that the matrix names."""
    cells = [cell for operation in OPERATIONS.values() for cell in operation_matrix.cells(operation).values()]
    return collected_in({test.partition("::")[0] for cell in cells for test in cell.tests})


def collected_in(files: set[str]) -> set[str]:
    """Return the node ids of the tests in files."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        *sorted(files),
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    return {line for line in run.stdout.splitlines() if "::" in line}


def test_the_page_is_up_to_date() -> None:
    assert operation_matrix.update(PAGE) == PAGE, "docs/operations.md is out of date. Run: make docs"


def test_the_matrix_has_exactly_the_writes_of_the_document() -> None:
    assert CHANGES.keys() == WRITES, "Add to CHANGES of tests/contract/operation_changes.py what the operation records."


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_cell_names_a_test_or_a_reason(collected: set[str], operation: Operation) -> None:
    cells = operation_matrix.cells(operation)

    assert list(cells) == list(COLUMNS)
    assert [name for name, cell in cells.items() if not cell.text] == []
    for test in [test for cell in cells.values() for test in cell.tests]:
        parameter = rf"\[([^\]]*-)?{operation.id}[-\]]" if test in ALL_OPERATIONS else r"(\[|$)"
        assert any(re.match(re.escape(test) + parameter, node) for node in collected), f"{test} does not exist"
