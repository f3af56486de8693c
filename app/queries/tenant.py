"""The only module that filters by company. Every statement on a company's rows starts here.

Call these helpers through the module: `tenant.select(...)`, `tenant.update(...)`, `tenant.where(...)`. A statement that
begins here is executed with `tenant.params(ctx, ...)`.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, Table, Update, bindparam

from app.context import Context

COMPANY_PARAMETER = "own_company_id"  # an UPDATE reserves the column's own name for a value that it sets
ROW_PARAMETER = "row_id"


def where(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row of `table` belongs to the company."""
    return table.c.company_id == bindparam(COMPANY_PARAMETER)


def select(*columns: ColumnElement[Any]) -> Select[Any]:
    """Select `columns` from the company's rows. The first column must belong to the table that is filtered."""
    return sa.select(*columns).where(where(columns[0].table))


def update(table: Table) -> Update:
    """Update the company's row of `table` whose id is the parameter `row_id`."""
    return sa.update(table).where(where(table), table.c.id == bindparam(ROW_PARAMETER))


def update_all(table: Table) -> Update:
    """Update the company's rows of `table` whose ids are the parameter `ids`."""
    return sa.update(table).where(where(table), table.c.id.in_(bindparam("ids", expanding=True)))


def params(ctx: Context, **values: object) -> dict[str, object]:
    """Return the parameters of a statement that begins here."""
    return {COMPANY_PARAMETER: ctx.company_id, **values}
