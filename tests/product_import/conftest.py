"""Files of products, what is read from them, and what an import of them writes."""

import csv
import io
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.product_import import importer
from app.product_import.csv_table import CsvOptions
from app.product_import.importer import ImportResult
from app.product_import.product_csv import FIELDS, ProductCsv, ProductFields, RejectedFileError
from app.product_import.text_file import MAX_QUOTED
from models import AuditEntry, InventoryMovement, Product, ProductImport, ProductImportRow
from tests.support import factories
from tests.support.factories import Tenant

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


@pytest.fixture
def shop(fresh_database: Database) -> Tenant:
    """Return a company in the fresh database."""
    return factories.tenant(fresh_database)


def run(database: Database, shop: Tenant, content: str, *, clear_empty: bool = False) -> ImportResult:
    product_csv = ProductCsv(io.BytesIO(content.encode()))
    return importer.run(factories.transactions(database, shop.company_id), product_csv, clear_empty=clear_empty)


def stored(database: Database, shop: Tenant, sku: str) -> Product:
    statement = sa.select(Product).where(Product.company_id == shop.company_id, Product.sku == sku)
    with database.transaction() as session:
        return session.scalars(statement).one()


def audited(database: Database, shop: Tenant) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return the audit entries of products, in the order of the actions."""
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(company_id=shop.company_id, request_id="test")
        rows = [(entry.action, entry.entity_type, entry.entity_id, entry.details) for entry in entries]
    return sorted((row for row in rows if row[0].startswith("product.")), key=lambda row: (row[0], row[2]))


def movements(database: Database, shop: Tenant, product_id: str) -> list[InventoryMovement]:
    """Return the movements of a product in their order, after checking that they have no holes and add up."""
    with database.transaction() as session:
        rows = session.query(InventoryMovement).filter_by(company_id=shop.company_id, product_id=product_id)
        found = rows.order_by(InventoryMovement.sequence).all()
        product = session.get(Product, product_id)
    stock = 0
    for number, row in enumerate(found):
        assert (row.sequence, row.stock_before) == (number, stock)
        stock = row.stock_after
    if product is not None:
        assert (product.movement_sequence, product.stock) == (len(found) - 1, stock)
    return found


def moved(database: Database, shop: Tenant, product_id: str) -> list[tuple[str, int]]:
    """Return the reason and the delta of each movement of a product."""
    return [(row.reason, row.delta) for row in movements(database, shop, product_id)]


def count_rows(database: Database) -> int:
    """Return the number of rows that imports have left in the database."""
    with database.transaction() as session:
        return session.query(ProductImport).count() + session.query(ProductImportRow).count()


def indexed(database: Database) -> dict[str | None, int]:
    """Return how many rows the search index has for each sku. All of its rows must belong to products."""
    with database.transaction() as session:
        table = "search_products_rows" if database.is_sqlite else "search_products"
        ids = Counter(session.scalars(sa.text(f"SELECT id FROM {table}")).all())
        skus = {row.id: row.sku for row in session.execute(sa.select(Product.id, Product.sku))}
    assert set(ids) == set(skus)
    return {skus[product_id]: count for product_id, count in ids.items()}


def counts(result: ImportResult) -> tuple[int, int, int]:
    return result.created, result.updated, result.unchanged
