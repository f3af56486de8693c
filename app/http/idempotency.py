"""Idempotency-Key: the first request with a key is processed, and a duplicate gets the same response.

1. The response is stored in the transaction of the effect, so that one never exists without the other.
2. A refusal by a business rule is a response too, and is stored. Validation errors, 401, 403, 412, 429 and 5xx are
   never stored, nor is a refusal that depends on the calling key.
3. A duplicate has the same company, operation and key. Other arguments are a 422; the same key for another operation
   is independent. A condition is not an argument: a duplicate that has read the resource again names its new tag.
4. A secret is not stored: its member, which the document marks with `x-secret`, is null in the response to a duplicate.
5. While the first request runs, a duplicate gets a 409 on PostgreSQL. SQLite has only one writer, so the duplicate
   waits.

The rules are in section 9.1 of the contract. Not in this module: the table (`app/services/stored_responses.py`).
"""

import decimal
import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import orjson
from sqlalchemy.orm import Session

from app import db
from app.context import Context
from app.errors import DomainError, InvalidParameterError, RefusalError
from app.http.body import MAX_DIGITS
from app.http.errors import ApiError, translate
from app.http.response import JSON, Response
from app.logs import holds_secret
from app.preconditions import PreconditionFailedError
from app.schemas.errors import InvalidItemError
from app.services import stored_responses
from app.spec import Operation

ARGUMENT = "idempotency_key"  # the header, among the arguments of a handler
EXACT_CONTEXT = decimal.Context(prec=2 * MAX_DIGITS)  # enough digits for every number in a body
ESCAPED = re.compile(r"\\([\"\\])")


class IdempotencyKeyReusedError(RefusalError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    pointer = "/header/Idempotency-Key"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This Idempotency-Key was used for another request.")


def idempotency_key_in_use() -> ApiError:
    """Return the 409 for a duplicate of a request that is still running."""
    message = "A request with this Idempotency-Key is still running."
    return ApiError(HTTPStatus.CONFLICT, "idempotency_key_in_use", message)


def read(header: str) -> str:
    """Return the key of a header that is bare or, as in the IETF draft, a quoted string.

    Raises InvalidParameterError if it contains a secret, because it is stored.
    """
    key = ESCAPED.sub(r"\1", header[1:-1]) if header.startswith('"') else header
    if holds_secret(key):
        message = "Idempotency-Key must not contain an API key or a signing secret. Use a UUID."
        raise InvalidParameterError("Idempotency-Key", message, parent="/header")
    return key


def fingerprint(arguments: Mapping[str, Any]) -> bytes:
    """Return a digest that is equal for equal requests. Parameters and body are compared by value, not by notation.

    100.50, 100.5 and 1.005e2 are one number. Whole numbers are ints already (`body.py`).
    """
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, default=_normalized).encode()).digest()


def _normalized(value: Decimal | InvalidItemError) -> object:
    """Return the canonical form of a number, or an invalid item as it was sent.

    A string is sufficient for a number, because a member is never both text and number.
    """
    return value.item if isinstance(value, InvalidItemError) else str(EXACT_CONTEXT.normalize(value))


def without_secrets(body: bytes, members: Sequence[Sequence[str]]) -> bytes:
    """Return the JSON of a response with null for each of `members`, which are paths. Absent ones stay absent."""
    if not members:
        return body
    content = orjson.loads(body)
    for *parents, name in members:
        parent = functools.reduce(lambda node, step: node.get(step, {}), parents, content)
        if name in parent:
            parent[name] = None
    return orjson.dumps(content)


def replay_or_run(
    ctx: Context, operation: Operation, key: str, request_fingerprint: bytes, run: Callable[[], Response]
) -> Response:
    """Return the stored response to the first request with this key; if there is none, `run` and store the response.

    Raises IdempotencyKeyReusedError when the key belongs to another request, ApiError 409 while the first one runs.
    """
    if not db.try_lock(ctx.session, f"{ctx.company_id} {operation.id} {key}"):
        raise idempotency_key_in_use()
    stored = stored_responses.find(ctx, operation.id, key)
    if stored is None:
        response = _run_or_refuse(ctx.session, run)
        stored_responses.store(
            ctx,
            operation.id,
            key,
            fingerprint=request_fingerprint,
            status=response.status,
            headers=response.headers,
            body=without_secrets(response.body, operation.secret_members),
        )
        return response
    if stored.fingerprint != request_fingerprint:
        raise IdempotencyKeyReusedError
    headers = {**stored.headers, "Idempotency-Replayed": "true"}
    body = without_secrets(stored.body, operation.secret_members)  # the previous version stored them
    return Response(status=stored.status, headers=headers, body=body)


def _run_or_refuse(session: Session, run: Callable[[], Response]) -> Response:
    """Call `run`. If a business rule refuses the request, undo everything and return the refusal.

    Raises InvalidParameterError, PreconditionFailedError, and a refusal that depends on the calling key. They are not
    stored: a client that reads the resource again, or has another API key, repeats its request with the same key.
    """
    try:
        with session.begin_nested():
            return run()
    except (InvalidParameterError, PreconditionFailedError):
        raise
    except DomainError as error:
        if isinstance(error, RefusalError) and error.depends_on_caller:
            raise
        refusal = translate(error)
        return Response(status=refusal.status, headers=dict(JSON), body=refusal.body())
