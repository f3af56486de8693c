"""The stored responses of requests with an Idempotency-Key (contract, section 9.1).

Not in this module: what makes two requests the same, and when a response is replayed (`app/http/idempotency.py`).
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from app.context import Context
from app.queries import rows, tenant
from app.queries.rows import Row, Statement, Write
from models import StoredResponse, new_id
from models.base import table


class StoredResponseRow(Row):
    """A stored response, and the fingerprint of its request."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes
    expires_at: datetime


RETENTION = timedelta(hours=24)
TABLE = table(StoredResponse)
IS_OF_REQUEST = TABLE.c.operation == bindparam("operation"), TABLE.c.key == bindparam("key")
SELECT_ONE = Statement(StoredResponseRow, tenant.select(*rows.columns(StoredResponseRow, TABLE)).where(*IS_OF_REQUEST))
INSERT = Write(TABLE.insert())
DELETE_ONE = Write(sa.delete(TABLE).where(tenant.where(TABLE), *IS_OF_REQUEST))
DELETE_EXPIRED = Write(sa.delete(TABLE).where(TABLE.c.expires_at <= bindparam("now", type_=TABLE.c.expires_at.type)))


def find(ctx: Context, operation: str, key: str) -> StoredResponseRow | None:
    """Return the response that is stored for this key, or None if there is none or it has expired."""
    parameters = tenant.params(ctx, operation=operation, key=key)
    stored = SELECT_ONE.one_or_none(ctx.session, parameters)
    if stored is not None and stored.expires_at <= ctx.now:
        DELETE_ONE.one(ctx.session, parameters)
        return None
    return stored


def store(
    ctx: Context, operation: str, key: str, *, fingerprint: bytes, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Store the response to the first request with this key."""
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "operation": operation,
        "key": key,
        "fingerprint": fingerprint,
        "status": status,
        "headers": headers,
        "body": body,
        "expires_at": ctx.now + RETENTION,
    }
    INSERT.one(ctx.session, row)


def delete_expired(session: Session, now: datetime) -> None:
    """Delete the expired responses of all companies."""
    DELETE_EXPIRED.one(session, {"now": now})
