"""The one place that filters by company. Every query on a company's rows starts here."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, Update, bindparam, select, update

from app.context import Context

PARAMETER = "own_company_id"  # not the column's name: an UPDATE keeps those for what it sets


def mine(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row of `table` belongs to the company."""
    return table.c.company_id == bindparam(PARAMETER)


def owned(*columns: Any) -> Select[Any]:
    """Select `columns`, the first one of a table whose rows must belong to the company."""
    return select(*columns).where(mine(columns[0].table))


def change(table: Table) -> Update:
    """Update the company's row of `table` that is bound as `row_id`."""
    return update(table).where(mine(table), table.c.id == bindparam("row_id"))


def bound(ctx: Context, **values: Any) -> dict[str, Any]:
    """Return the parameters of a statement that begins here."""
    return {PARAMETER: ctx.company_id, **values}
