"""The effect of a row of a file on a product: create it, update it, or leave it unchanged (contract, section 11).

Not in this module: what a file may look like (`product_csv`), and what is written when (`importer`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from sqlalchemy import bindparam

from app.context import Context
from app.product_import.product_csv import FIELDS, NumberedRow, ProductFields, RowError
from app.product_import.text_file import quoted
from app.queries import rows as row_types
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.schemas import price_breaks
from app.schemas.products import ProductRow
from app.services import audit, quantity_rules
from app.services.audit import Details
from app.services.products import TABLE
from models.base import defaults

DEFAULTS = defaults(TABLE, FIELDS.values())


class ExistingProductRow(ProductRow):
    """A product with the sku of a row."""

    sku: str


# The sku is never null: products are selected by it.
COLUMNS = [
    column.label("sku") if column.name == "sku" else column for column in row_types.columns(ExistingProductRow, TABLE)
]
SELECT_EXISTING = Statement(
    ExistingProductRow, tenant.select(*COLUMNS).where(TABLE.c.sku.in_(bindparam("skus", expanding=True)))
)


class ExternalIdOwnerRow(Row):
    """A product that has an external id."""

    id: str
    external_id: str
    sku: str | None


SELECT_OWNERS = Statement(
    ExternalIdOwnerRow,
    tenant.select(TABLE.c.id, TABLE.c.external_id.label("external_id"), TABLE.c.sku).where(
        TABLE.c.external_id.in_(bindparam("external_ids", expanding=True))
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductChange:
    """A product to create or update: the fields that the file sets, all new fields, and the stored product."""

    given: ProductFields
    fields: ProductFields
    existing: ExistingProductRow | None

    @property
    def new_external_id(self) -> str | None:
        """The external id that the product does not have yet, None if there is none."""
        external_id = self.fields["external_id"]
        return None if self.existing is not None and external_id == self.existing.external_id else external_id

    @property
    def details(self) -> Mapping[str, Details]:
        """Return the details of its audit entry, with the names and numbers of the API."""
        if self.existing is None:
            return {"after": _to_json(self.fields)}
        return audit.changes(_to_json(_fields(self.existing)), _to_json(self.fields))


class NumberedChange(NamedTuple):
    """A change, and the line of its row."""

    line: int
    change: ProductChange


def resolve_empty_cells(row: ProductFields, *, clear: bool) -> ProductFields:
    """Return the fields that a row sets. An empty cell sets none or, with `clear`, the default."""
    if clear:
        return cast(
            "ProductFields", {field: DEFAULTS[field] if value is None else value for field, value in row.items()}
        )
    return cast("ProductFields", {field: value for field, value in row.items() if value is not None})


def compare_rows(ctx: Context, rows: Sequence[NumberedRow]) -> list[NumberedChange]:
    """Return the changes that rows make. Rows that change nothing are left out."""
    existing = select_existing(ctx, [row.fields["sku"] for row in rows])
    compared = ((row.line, compare(row.fields, existing.get(row.fields["sku"]))) for row in rows)
    return [NumberedChange(line, change) for line, change in compared if change is not None]


def check(ctx: Context, changes: Sequence[NumberedChange]) -> list[RowError]:
    """Return the errors that only a comparison with the products of the company finds."""
    owners = _owners(ctx, [change.new_external_id for _, change in changes if change.new_external_id is not None])
    return [RowError(line=line, error=error) for line, change in changes for error in _errors(change, owners)]


def _errors(change: ProductChange, owners: Mapping[str, ExternalIdOwnerRow]) -> Iterator[str]:
    owner = owners.get(change.new_external_id or "")
    if owner is not None:
        yield _taken(owner)
    for contradiction in quantity_rules.contradictions(change.fields):
        yield contradiction.message


def _owners(ctx: Context, external_ids: Sequence[str]) -> dict[str, ExternalIdOwnerRow]:
    """Return the products that have these external ids, by external id."""
    if not external_ids:
        return {}
    found = SELECT_OWNERS.all(ctx.session, tenant.params(ctx, external_ids=external_ids))
    return {owner.external_id: owner for owner in found}


def _taken(owner: ExternalIdOwnerRow) -> str:
    product = f"the id {quoted(owner.id)}" if owner.sku is None else f"the sku {quoted(owner.sku)}"
    return f"externalId {quoted(owner.external_id)} already belongs to the product with {product}"


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
    breaks = price_breaks.render(fields["price_breaks"] or ())
    values: dict[str, object] = {**fields, "price": float(fields["price"]), "price_breaks": breaks}
    return {name: values[field] for name, field in FIELDS.items()}
