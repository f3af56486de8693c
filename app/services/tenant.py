"""The one place that filters by company. Every query on a company's rows starts here."""

from typing import Any

from sqlalchemy import Select, bindparam, select

from app.context import Context


def owned(*columns: Any) -> Select[Any]:
    """Select `columns` of one table, of the rows of the company bound as `company_id` only."""
    table = columns[0].table
    return select(*columns).where(table.c.company_id == bindparam("company_id"))


def bound(ctx: Context, **values: Any) -> dict[str, Any]:
    """Return the parameters of a statement that `owned` began."""
    return {"company_id": ctx.company_id, **values}
