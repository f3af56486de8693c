"""Products as a CSV file, which an import reads back unchanged.

Products are matched by their sku: those without one are left out. Each page is read in a short transaction, so that a
long export does not keep old versions of rows, and its memory use does not grow with the number of products.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

from app.context import Transactions
from app.product_import import csv_rows, formulas, price_break_cells
from app.product_import.product_csv import FIELDS
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services.products import TABLE
from models import PriceBreak

PAGE = 1_000
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # an import rejects them


class ExportedRow(Row):
    """A product of an export, with the columns of the file in their order."""

    id: str
    sku: str
    name: str
    description: str | None
    category: str | None
    unit: str
    price: Decimal
    stock: int
    is_active: bool
    external_id: str | None
    barcode: str | None
    low_stock_threshold: int
    image_url: str | None
    price_breaks: tuple[PriceBreak, ...]
    min_order_quantity: int | None
    order_multiple: int | None
    max_order_quantity: int | None


class CountRow(Row):
    """The number of products, and of those that have a sku."""

    total: int
    exported: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductCount:
    """The number of products that are exported, and of those that are left out."""

    exported: int
    without_sku: int


class ProductExport:
    """An export of the company's products, of one category or of all, active or not."""

    def __init__(self, transactions: Transactions, *, category: str | None = None, active: bool | None = None) -> None:
        """Prepare the statements for the filters."""
        self._transactions = transactions
        self._filters: Mapping[str, object] = {
            name: value for name, value in (("category", category), ("active", active)) if value is not None
        }
        conditions = [CONDITIONS[name] for name in self._filters]
        self._count = Statement(CountRow, SELECT_COUNT.where(*conditions))
        self._page = Statement(ExportedRow, SELECT_PAGE.where(*conditions))

    def count(self) -> ProductCount:
        """Return how many products the export has now."""
        with self._transactions() as ctx:
            row = self._count.one(ctx.session, tenant.params(ctx, **self._filters))
        return ProductCount(exported=row.exported, without_sku=row.total - row.exported)

    def chunks(self) -> Iterator[tuple[int, str]]:
        """Yield the file in parts, each with its number of products: first the header, then pages of rows."""
        yield 0, csv_rows.BYTE_ORDER_MARK + csv_rows.to_csv([tuple(FIELDS)])
        after = ""
        while page := self._next_page(after):
            yield len(page), csv_rows.to_csv(_cells(row) for row in page)
            after = page[-1].id

    def _next_page(self, after: str) -> Sequence[ExportedRow]:
        with self._transactions() as ctx:
            return self._page.all(ctx.session, tenant.params(ctx, after=after, **self._filters))


CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "category": TABLE.c.category == bindparam("category"),
    "active": TABLE.c.is_active == bindparam("active"),
}
SELECT_COUNT = sa.select(sa.func.count().label("total"), sa.func.count(TABLE.c.sku).label("exported")).where(
    tenant.where(TABLE)
)
SELECT_PAGE = (
    tenant.select(
        TABLE.c.id,
        *(TABLE.c.sku.label("sku") if field == "sku" else TABLE.c[field] for field in FIELDS.values()),
    )
    .where(TABLE.c.id > bindparam("after"), TABLE.c.sku.is_not(None))
    .order_by(TABLE.c.id)
    .limit(PAGE)
)


def _cells(row: ExportedRow) -> list[object]:
    return [_cell(value) for value in row[1:]]


def _cell(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return formulas.escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", value))
        case tuple():
            return price_break_cells.format_cell(value)
    return value
