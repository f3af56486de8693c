"""Errors as responses: the exception of the edge, the translation of every other exception, and the rendering.

An error response is always JSON, `{"error": …, "code": …}` (contract, section 3). It repeats at most MAX_ECHO
characters of the request, and reveals nothing about an unexpected exception.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
import starlette.exceptions
from starlette.types import Receive, Scope, Send

from app import errors
from app.http.middleware import HttpMiddleware
from app.http.request_state import state_of
from app.schemas.base import Json
from app.schemas.errors import API_ERRORS, ErrorDetail, Rejection, invalid, rejection

LOG = logging.getLogger(__name__)
MAX_ECHO = 100
MAX_DETAILS = 100  # in one response
MAX_ITEM_DETAILS = 20  # of one item of a bulk request, which has up to 1,000 of them
RETRY_AFTER_SECONDS = 2  # in a 503
CHALLENGE = {"WWW-Authenticate": "Bearer"}

JSON_TYPE = (b"content-type", b"application/json")

Path = Sequence[str | int]


class ApiError(Exception):
    """An error response. `openapi/errors.yaml` explains every `code`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[ErrorDetail] = (),
        results: Sequence[Json] = (),
        headers: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Initialize with the content of the response."""
        super().__init__(message)
        self.status = status
        self.code = code
        self._rejection = Rejection(
            status=HTTPStatus(status), code=code, message=message, details=details, results=results
        )
        self.headers = dict(headers or {})
        self.retry_after = retry_after
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> bytes:
        """Return the JSON of the response."""
        content = self._rejection.content()
        if self.retry_after is not None and self.status == HTTPStatus.TOO_MANY_REQUESTS:
            content["retryAfter"] = self.retry_after
        return orjson.dumps(content)


def pointer(path: Path) -> str:
    """Return the JSON pointer (RFC 6901) of a location, truncated like all text from the request."""
    return truncated("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path))


def truncated(text: str) -> str:
    """Return at most MAX_ECHO characters of text from the request."""
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 1] + "…"


def malformed_request(message: str) -> ApiError:
    """Return the 400 for a request that violates HTTP itself."""
    return ApiError(HTTPStatus.BAD_REQUEST, "malformed_request", message)


def validation_failed(details: Sequence[ErrorDetail]) -> ApiError:
    """Return the 400 for a request that violates the document: the first error as the message, all in `details`."""
    return _response(invalid(details))


def key_invalid() -> ApiError:
    """Return the 401 for a key that is not active, regardless of the reason."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "key_invalid", "Invalid, expired, or revoked API key.", headers=CHALLENGE)


def not_found() -> ApiError:
    """Return the 404 for a path that is not in the document."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", "Not found.")


def internal_error() -> ApiError:
    """Return the 500 for a bug of this server."""
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Internal server error.")


def database_unavailable() -> ApiError:
    """Return the 503 for a database that is unavailable or busy."""
    message = "The database is busy or unavailable. Try again shortly."
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", message, retry_after=RETRY_AFTER_SECONDS)


def translate(error: Exception) -> ApiError:
    """Return the response for any exception. An unexpected exception is logged with its traceback."""
    if isinstance(error, API_ERRORS):
        return _response(rejection(error))
    if isinstance(error, errors.InactiveKeyError):
        return key_invalid()
    if isinstance(error, errors.DatabaseUnavailableError):
        LOG.warning("database unavailable: %s", error)
        return database_unavailable()
    if isinstance(error, starlette.exceptions.HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return not_found()
    LOG.error("unhandled %s", type(error).__name__, exc_info=error)
    return internal_error()


def _response(found: Rejection) -> ApiError:
    return ApiError(found.status, found.code, found.message, details=found.details, results=found.results)


class ErrorMiddleware(HttpMiddleware):
    """Turn every exception of the inner application into a response."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request and render exceptions. If the response has begun, re-raise to close the connection."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if state_of(scope).status:
                raise
            await respond(error if isinstance(error, ApiError) else translate(error), scope, send)


async def respond(error: ApiError, scope: Scope, send: Send) -> None:
    """Send the error response."""
    body = error.body()
    extra = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    headers = [JSON_TYPE, (b"content-length", str(len(body)).encode()), *extra, *state_of(scope).headers]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
