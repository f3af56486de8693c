"""Rows of the driver as rows of Python: one alone is read like several."""

import pytest

from app.compiled import Processor, convert

ROW = (1, None, "b")
PROCESSORS: list[Processor | None] = [str, None, lambda value: [value]]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_each_row_is_converted_column_by_column(count: int) -> None:
    assert list(convert([ROW] * count, PROCESSORS)) == [("1", None, ["b"])] * count
