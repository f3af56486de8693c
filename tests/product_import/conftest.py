"""Files of products, as text or bytes, and what is read from them."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from app.product_import.csv_table import CsvOptions
from app.product_import.product_csv import FIELDS, ProductCsv, ProductFields, RejectedFileError
from app.product_import.text_file import MAX_QUOTED

HEADER = "sku,name,description,category,unit,price,stock,isActive"
VALID = {"sku": "W-1", "name": "Widget", "price": "8.50"}


def opened(content: str | bytes, **options: Any) -> ProductCsv:
    data = content.encode() if isinstance(content, str) else content
    return ProductCsv(io.BytesIO(data), CsvOptions(**options))


def read(content: str | bytes, **options: Any) -> tuple[list[ProductFields], list[tuple[int, str]]]:
    """Return the valid rows of a file, and the line and rule of each error."""
    product_csv = opened(content, **options)
    rows = list(product_csv.rows())
    return rows, [(error.line, error.error) for error in product_csv.errors]


def rejection(content: str | bytes, **options: Any) -> tuple[int, str]:
    """Return the line and the reason for which a file is rejected as a whole."""
    with pytest.raises(RejectedFileError) as caught:
        opened(content, **options)
    (error,) = caught.value.errors
    return error.line, error.error


def file_with(**cells: str) -> str:
    """Return a file with one row, valid but for the given cells."""
    values = VALID | cells
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(values)
    writer.writerow(values.values())
    return text.getvalue()


def error(**cells: str) -> str:
    """Return the one error of a row that is valid but for the given cell."""
    rows, errors = read(file_with(**cells))
    assert rows == []
    ((line, rule),) = errors
    assert line == 2
    (column,) = cells
    quoted = f" '{cells[column]}'" if len(cells[column]) <= MAX_QUOTED else f" '{cells[column][:MAX_QUOTED]}…'"
    return rule.removeprefix(column).removeprefix(quoted).strip()


def value(column: str, cell: str) -> Any:
    """Return the value that is read from a cell."""
    (row,), errors = read(file_with(**{column: cell}))
    assert errors == []
    return row[FIELDS[column]]  # type: ignore[literal-required]


def prices(*cells: str, **options: Any) -> list[Decimal]:
    """Return the prices that are read from the cells of one file."""
    lines = (f"S-{number};Item;{cell}" for number, cell in enumerate(cells))
    rows, errors = read("\n".join(["sku;name;price", *lines]), **options)
    assert errors == []
    return [row["price"] for row in rows]


def rejected_prices(*cells: str, **options: Any) -> tuple[int, str]:
    lines = (f"S-{number};Item;{cell}" for number, cell in enumerate(cells))
    return rejection("\n".join(["sku;name;price", *lines]), **options)
