"""Idempotency-Key: the first request with a key acts, its twins get the same answer (contract, section 9.1).

The answer is stored in the transaction of what the request did, so there is no moment in which one is there without the
other. Refusals by a rule are answers too; validation faults, 401, 403, 429 and 5xx come about elsewhere and are never
stored.
"""

import decimal
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, text
from sqlalchemy.orm import Session

from app.context import Context
from app.errors import DomainError, RefusalError
from app.http.body import MAX_DIGITS
from app.http.errors import ApiError, translate
from app.queries import tenant
from models import StoredAnswer, new_id
from models.base import table

KEPT = timedelta(hours=24)
EXACT = decimal.Context(prec=2 * MAX_DIGITS)  # rounds no number that a body may hold
PARAMETER = "idempotency_key"
ESCAPED = re.compile(r"\\([\"\\])")
TABLE = table(StoredAnswer)
PLACE = TABLE.c.operation == bindparam("operation"), TABLE.c.key == bindparam("key")
STORED = tenant.select(TABLE.c.fingerprint, TABLE.c.status, TABLE.c.headers, TABLE.c.body, TABLE.c.expires_at).where(
    *PLACE
)
FORGET = delete(TABLE).where(tenant.where(TABLE), *PLACE)
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a request was, or is to be, answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyKeyReusedError(RefusalError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    pointer = "/header/Idempotency-Key"

    def __init__(self) -> None:
        """Say so."""
        super().__init__("This Idempotency-Key was used for another request.")


def _in_use() -> ApiError:
    message = "A request with this Idempotency-Key is still running."
    return ApiError(HTTPStatus.CONFLICT, "idempotency_key_in_use", message)


def clean(key: str) -> str:
    """Return the key itself of a header that is bare or, as the IETF draft has it, a quoted string."""
    if key.startswith('"'):
        return ESCAPED.sub(r"\1", key[1:-1])
    return key


def fingerprint(arguments: Mapping[str, Any]) -> bytes:
    """Return what makes two requests of one operation the same: their parameters and bodies, not their spelling.

    Numbers are compared by value: 100.50, 100.5 and 1.005e2 are one. Whole ones are ints already (`body.py`).
    """
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, default=_by_value).encode()).digest()


def _by_value(number: Decimal) -> str:
    """Return the one spelling of a number. No member of a body may be text or a number, so text will do."""
    return str(EXACT.normalize(number))


def once(ctx: Context, operation: str, key: str, request: bytes, act: Callable[[], Answer]) -> Answer:
    """Answer as the first request with this key was answered, or `act` and store the answer.

    Raises IdempotencyKeyReusedError for another request with the same key, ApiError 409 while the first one is running.
    """
    place = tenant.params(ctx, operation=operation, key=key)
    _claim(ctx.session, f"{ctx.company_id} {operation} {key}")
    stored = ctx.session.execute(STORED, place).one_or_none()
    if stored is not None and stored.expires_at > ctx.now:
        if stored.fingerprint != request:
            raise IdempotencyKeyReusedError
        return Answer(
            status=stored.status, headers={**stored.headers, "Idempotency-Replayed": "true"}, body=stored.body
        )
    if stored is not None:
        ctx.session.execute(FORGET, place)
    answer = _undone_if_refused(ctx.session, act)
    _store(ctx, operation, key, request, answer)
    return answer


def forget_expired(session: Session, now: Any) -> None:
    """Remove every answer that is no longer kept."""
    session.execute(
        delete(TABLE).where(TABLE.c.expires_at <= bindparam("now", type_=TABLE.c.expires_at.type)), {"now": now}
    )


def _claim(session: Session, name: str) -> None:
    """Refuse to wait for a twin on PostgreSQL; on SQLite there is one writer, and the twin was queued before it."""
    connection = session.connection()
    if connection.dialect.name == "postgresql" and not connection.execute(LOCK, {"name": name}).scalar_one():
        raise _in_use()


def _undone_if_refused(session: Session, act: Callable[[], Answer]) -> Answer:
    """Act; when a rule refuses, nothing is left of it but the refusal."""
    try:
        with session.begin_nested():
            return act()
    except DomainError as error:
        refusal = translate(error)
        return Answer(status=refusal.status, headers={"Content-Type": "application/json"}, body=refusal.body())


def _store(ctx: Context, operation: str, key: str, request: bytes, answer: Answer) -> None:
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "operation": operation,
        "key": key,
        "fingerprint": request,
        "status": answer.status,
        "headers": answer.headers,
        "body": answer.body,
        "expires_at": ctx.now + KEPT,
    }
    ctx.session.connection().execute(TABLE.insert(), row)


def to_answer(result: Any) -> Answer:
    """Return the answer that a handler's result stands for: a body, or a body, a status and headers."""
    body, status, headers = result if isinstance(result, tuple) else (result, 200, {})
    return Answer(status=status, headers={"Content-Type": "application/json", **headers}, body=orjson.dumps(body))
