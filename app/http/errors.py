"""Errors as answers: one exception for the edge, one table for everybody else's, one place that renders.

Always JSON, always `{"error": ..., "code": ...}` (contract, section 3). Nothing here shows more of the
caller's input than SHOWN characters, and an unknown exception shows nothing of itself at all.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import starlette.exceptions
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.http.request_state import call_of

LOG = logging.getLogger(__name__)
SHOWN = 100
MAX_FAULTS = 100  # that are told of one request
RETRY_SECONDS = 2  # what a 503 suggests

JSON_TYPE = (b"content-type", b"application/json")

Path = Sequence[str | int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing wrong with a request: where, as a JSON pointer, and what the rule is.

    A refusal has a code of its own; `data` holds further members, by their JSON names.
    """

    pointer: str
    message: str
    code: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def shown(self) -> dict[str, Any]:
        """Return an entry of `details`."""
        code = {} if self.code is None else {"code": self.code}
        return {"pointer": self.pointer, **code, "message": self.message, **self.data}


class ApiError(Exception):
    """A refusal by the edge. `code` is the stable slug that docs/errors.md explains."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Take the whole answer."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.faults = faults
        self.headers = dict(headers or {})
        self.retry_after = retry_after
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> bytes:
        """Return the JSON of the answer."""
        content: dict[str, Any] = {"error": str(self), "code": self.code}
        if self.faults:
            content["details"] = [fault.shown() for fault in self.faults]
        if self.retry_after is not None and self.status == HTTPStatus.TOO_MANY_REQUESTS:
            content["retryAfter"] = self.retry_after
        return orjson.dumps(content)


def pointer(path: Path) -> str:
    """Return the JSON pointer (RFC 6901) of a place, cut like everything that is the caller's."""
    return shown("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path))


def shown(text: str) -> str:
    """Cut the caller's own text before it is shown back."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def malformed(message: str) -> ApiError:
    """Return the answer to a request that breaks HTTP itself."""
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_request", message)


def not_found() -> ApiError:
    """Return the answer to a path that is not in the document."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", "Not found.")


def invalid(faults: Sequence[Fault]) -> ApiError:
    """Return the answer to a request that breaks the document: the first fault in front, all in `details`."""
    return ApiError(HTTPStatus.BAD_REQUEST, "validation_failed", faults[0].message, faults=faults)


def unavailable() -> ApiError:
    """Return the answer while the database is away or busy."""
    message = "Database is busy or away. Try again shortly."
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", message, retry_after=RETRY_SECONDS)


def internal() -> ApiError:
    """Return the answer to a bug of ours."""
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Internal server error.")


def translate(error: Exception) -> ApiError:
    """Return the answer to any exception; those nobody planned are logged with their trace."""
    if isinstance(error, errors.RefusalError):
        faults = [_fault(each) for each in error.refusals]
        return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, str(error), faults=faults)
    if isinstance(error, errors.InvalidParameterError):
        return invalid([Fault(pointer=error.pointer, message=str(error))])
    if isinstance(error, errors.NotFoundError):
        return ApiError(HTTPStatus.NOT_FOUND, error.code, str(error))
    if isinstance(error, errors.DatabaseUnavailableError):
        LOG.warning("database unavailable: %s", error)
        return unavailable()
    if isinstance(error, starlette.exceptions.HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return not_found()
    LOG.error("unhandled %s", type(error).__name__, exc_info=error)
    return internal()


def _fault(refusal: errors.RefusalError) -> Fault:
    return Fault(pointer=refusal.pointer, code=refusal.code, message=str(refusal), data=refusal.data)


class ErrorMiddleware:
    """Answer for whatever is raised further in. The last resort: nothing gets past it but a broken connection."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; render the exception unless the answer has begun, when only closing is left."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if started:
                raise
            await respond(error if isinstance(error, ApiError) else translate(error), scope, send)


async def respond(error: ApiError, scope: Scope, send: Send) -> None:
    """Send the answer that `error` stands for."""
    body = error.body()
    extra = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    headers = [JSON_TYPE, (b"content-length", str(len(body)).encode()), *extra, *call_of(scope).headers]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
