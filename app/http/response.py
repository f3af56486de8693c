"""The response of an operation, as a handler returns it and as it is stored for duplicate requests."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """The status, headers and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


def from_result(result: Any) -> Response:
    """Return the response for the result of a handler: a body, or a body with a status and headers."""
    body, status, headers = result if isinstance(result, tuple) else (result, HTTPStatus.OK, {})
    return Response(status=status, headers=JSON | headers, body=orjson.dumps(body))
