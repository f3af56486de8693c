"""What a row of a file makes of a product: a new one, a changed one, or nothing (contract, section 11).

Not here: what a file may look like (`product_file`), and what is written when (`importer`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam

from app.context import Context
from app.product_import.product_file import FIELDS, Record
from app.queries import tenant
from app.services import audit
from app.services.products import TABLE

DEFAULTS = {field: getattr(TABLE.c[field].default, "arg", None) for field in FIELDS.values()}
SEEN = [TABLE.c.id, TABLE.c.updated_at, *(TABLE.c[field] for field in FIELDS.values())]
EXISTING = tenant.select(*SEEN).where(TABLE.c.sku.in_(bindparam("skus", expanding=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A product to be created or changed: what the file gives of it, all of it afterwards, and as it was found."""

    given: Record
    values: Record
    found: Row[Any] | None

    @property
    def details(self) -> dict[str, Any]:
        """Return what the audit log says of it, with the names and figures of the API."""
        if self.found is None:
            return {"after": _shown(self.values)}
        return audit.changes(_shown(_fields(self.found)), _shown(self.values))


def given(record: Record, *, clear_empty: bool) -> Record:
    """Return what a row of a file says of its product: an empty cell says nothing, or that the default holds again."""
    if clear_empty:
        return {field: DEFAULTS[field] if value is None else value for field, value in record.items()}
    return {field: value for field, value in record.items() if value is not None}


def compare(ctx: Context, rows: Sequence[Record]) -> Iterator[Change | None]:
    """Yield for each row what it would change, None where it says what is known."""
    skus = [row["sku"] for row in rows]
    existing = {found.sku: found for found in ctx.session.execute(EXISTING, tenant.params(ctx, skus=skus))}
    return (change(row, existing.get(row["sku"])) for row in rows)


def change(given: Record, found: Row[Any] | None) -> Change | None:
    """Return what `given` makes of the product that was found, if any; None when it is like that already."""
    before = DEFAULTS if found is None else _fields(found)
    values = {**before, **given}
    return None if found is not None and values == before else Change(given=given, values=values, found=found)


def _fields(row: Row[Any]) -> Record:
    return {field: getattr(row, field) for field in FIELDS.values()}


def _shown(values: Mapping[str, Any]) -> Record:
    return {name: values[field] for name, field in FIELDS.items()} | {"price": float(values["price"])}
