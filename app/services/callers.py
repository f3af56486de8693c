"""The caller of the API: its key and its company (contract, section 9.6)."""

import sqlalchemy as sa
from sqlalchemy import bindparam

from app import __version__
from app.context import Context
from app.queries import rows
from app.queries.rows import Statement
from app.schemas.callers import CallerCompanyRow, CallerIdentity
from models import Company
from models.base import table

TABLE = table(Company)
SELECT_COMPANY = Statement(
    CallerCompanyRow, sa.select(*rows.columns(CallerCompanyRow, TABLE)).where(TABLE.c.id == bindparam("id"))
)


def identify(ctx: Context) -> CallerIdentity:
    """Return the key of the request and its company."""
    assert ctx.key is not None  # only requests have a caller
    company = SELECT_COMPANY.one(ctx.session, {"id": ctx.company_id})
    return CallerIdentity(company=company, key=ctx.key, server_time=ctx.now, version=__version__)
