"""The effect of a row of a file on a product: create it, update it, or leave it unchanged (contract, section 11).

Not in this module: what a file may look like (`product_csv`), and what is written when (`importer`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import bindparam

from app.context import Context
from app.product_import.product_csv import FIELDS, ProductFields
from app.queries import rows, tenant
from app.queries.rows import Statement
from app.schemas.products import ProductRow
from app.services import audit
from app.services.audit import Details
from app.services.products import TABLE

DEFAULTS = {field: getattr(TABLE.c[field].default, "arg", None) for field in FIELDS.values()}


class ExistingProductRow(ProductRow):
    """A product with the sku of a row."""

    sku: str


# The sku is never null: products are selected by it.
COLUMNS = [
    column.label("sku") if column.name == "sku" else column for column in rows.columns(ExistingProductRow, TABLE)
]
SELECT_EXISTING = Statement(
    ExistingProductRow, tenant.select(*COLUMNS).where(TABLE.c.sku.in_(bindparam("skus", expanding=True)))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductChange:
    """A product to create or update: the fields that the file sets, all new fields, and the stored product."""

    given: ProductFields
    fields: ProductFields
    existing: ExistingProductRow | None

    @property
    def details(self) -> Mapping[str, Details]:
        """Return the details of its audit entry, with the names and numbers of the API."""
        if self.existing is None:
            return {"after": _to_json(self.fields)}
        return audit.changes(_to_json(_fields(self.existing)), _to_json(self.fields))


def resolve_empty_cells(row: ProductFields, *, clear: bool) -> ProductFields:
    """Return the fields that a row sets. An empty cell sets none or, with `clear`, the default."""
    if clear:
        return cast(
            "ProductFields", {field: DEFAULTS[field] if value is None else value for field, value in row.items()}
        )
    return cast("ProductFields", {field: value for field, value in row.items() if value is not None})


def compare_rows(ctx: Context, fields: Sequence[ProductFields]) -> Iterator[ProductChange | None]:
    """Yield the change that each row makes, or None if it makes none."""
    existing = select_existing(ctx, [row["sku"] for row in fields])
    return (compare(row, existing.get(row["sku"])) for row in fields)


def select_existing(ctx: Context, skus: Sequence[str]) -> dict[str, ExistingProductRow]:
    """Return the products with these skus, by sku."""
    return {product.sku: product for product in SELECT_EXISTING.all(ctx.session, tenant.params(ctx, skus=skus))}


def compare(given: ProductFields, existing: ExistingProductRow | None) -> ProductChange | None:
    """Return the change that `given` makes to the existing product, if any, or None if it makes none."""
    before = cast("ProductFields", DEFAULTS) if existing is None else _fields(existing)
    fields: ProductFields = {**before, **given}
    is_unchanged = existing is not None and fields == before
    return None if is_unchanged else ProductChange(given=given, fields=fields, existing=existing)


def _fields(product: ExistingProductRow) -> ProductFields:
    return cast("ProductFields", {field: getattr(product, field) for field in FIELDS.values()})


def _to_json(fields: ProductFields) -> dict[str, object]:
    values: dict[str, object] = {**fields, "price": float(fields["price"])}
    return {name: values[field] for name, field in FIELDS.items()}
