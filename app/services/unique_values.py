"""Values that must be unique within the company: external ids, and the emails of customers (contract, section 9.3).

A service asks which values are `taken`, refuses with every reason, and then calls `write`. In between, a concurrent
transaction may set the same value.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CompoundSelect, Table, bindparam
from sqlalchemy.exc import IntegrityError

from app import driver, driver_errors
from app.context import Context
from app.errors import RefusalError
from app.queries import tenant
from app.queries.rows import Parameters, RowT, Statement
from app.queries.written_rows import Insert


class ExternalIdTakenError(RefusalError):
    """Another resource of the same kind has the external id."""

    code = "external_id_taken"
    pointer = "/externalId"

    def __init__(self, noun: str) -> None:
        """Initialize with the noun of the message: 'A product'."""
        super().__init__(f"{noun} with this external ID already exists.")


def taken(ctx: Context, table: Table, values: Mapping[str, object], own_id: str | None = None) -> set[str]:
    """Return the names of the unique columns whose value another row than `own_id` has. Null is never taken.

    One statement reads them all: it sees all values of a row that a concurrent transaction inserts, or none.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return set()
    owners = ctx.session.execute(_select_owners(table, *sorted(given)), tenant.params(ctx, **given))
    return {name for owner, name in owners if owner != own_id}


def external_id_refusals(ctx: Context, table: Table, external_id: str | None, noun: str) -> Iterator[RefusalError]:
    """Yield the refusal of a new row if another one has the external id."""
    if taken(ctx, table, {"external_id": external_id}):
        yield ExternalIdTakenError(noun)


def write(ctx: Context, statement: Statement[RowT] | Insert[RowT], parameters: Parameters) -> RowT:
    """Execute a statement that sets unique values, and return its row. Raises like `duplicates_as_conflicts`."""
    with duplicates_as_conflicts(ctx):
        return statement.one(ctx.session, parameters)


@contextmanager
def duplicates_as_conflicts(ctx: Context, values: str = "sku, external id or email") -> Iterator[None]:
    """Raise ConflictError if a concurrent transaction has set a unique value since it was checked.

    When the whole transaction runs again, it finds that value. `values` names in the message what is unique.
    """
    driver.send_writes(ctx.session)  # earlier writes raise their own errors
    try:
        yield
        driver.send_writes(ctx.session)
    except IntegrityError as error:
        if not driver_errors.is_duplicate(error):
            raise
        raise driver_errors.ConflictError(f"Another process has just set the same {values}.") from error


@functools.cache
def _select_owners(table: Table, *names: str) -> CompoundSelect[Any]:
    return sa.union_all(
        *(
            tenant.select(table.c.id, sa.literal_column(f"'{name}'").label("name")).where(
                table.c[name] == bindparam(name)
            )
            for name in names
        )
    )
