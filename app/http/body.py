"""Request bodies: media type, size, time, and JSON read strictly.

Python's parser accepts input that no client intends to send: NaN, repeated names, numbers of any length, unlimited
nesting, characters that a database cannot store. This module rejects each of these with a 400 (docs/decisions/0002).
"""

import asyncio
import json
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from http import HTTPStatus
from itertools import islice
from typing import Any, Never

from starlette.types import Receive, Scope

from app.http.errors import (
    MAX_DETAILS,
    MAX_ITEM_DETAILS,
    ApiError,
    Path,
    malformed_request,
    pointer,
    truncated,
    validation_failed,
)
from app.http.request_state import BODY_ERROR, RequestHeaders, state_of
from app.http.validation_messages import field_name
from app.schemas.errors import ErrorDetail, InvalidItemError

MAX_BYTES = 1_000_000  # nginx's client_max_body_size is 1 MiB
LARGE_BYTES = 50_000  # a longer body is parsed in a thread: on the event loop it would delay other requests
MAX_SECONDS = 15.0
MAX_DEPTH = 64
MAX_DIGITS = 40  # of a number; far beyond every limit in the document
WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
MEDIA_PARAMETER = rf';[ \t]*(?:({WORD})[ \t]*=[ \t]*({WORD}|"(?:[^"\\]|\\.)*")[ \t]*)?'  # RFC 9110, section 5.6.6
JSON_TYPE = re.compile(rf"[ \t]*application/json[ \t]*((?:{MEDIA_PARAMETER})*)", re.IGNORECASE)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# And strings, whose brackets do not count. The loops do not alternate: 4 MB of text take 10 ms instead of 400.
BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def has_body(received: RequestHeaders) -> bool:
    """Return whether a request has a body, according to its headers (RFC 9112, section 6.3)."""
    return received.first(b"transfer-encoding") is not None or received.first(b"content-length") not in {None, b"0"}


async def read_json(
    scope: Scope, receive: Receive, max_bytes: int = MAX_BYTES, item_lists: Collection[str] = ()
) -> Any:
    """Return the JSON body of a request. A number is an int when it is whole, a Decimal otherwise.

    `item_lists` names lists of the body whose items may be invalid: an InvalidItemError takes the place of an item with
    text that cannot be stored.

    Raises ApiError: 415 for another media type, 413 beyond `max_bytes`, 408 after MAX_SECONDS, 400 for anything else.
    """
    _check_media_type(state_of(scope).received)
    try:
        async with asyncio.timeout(MAX_SECONDS):
            raw = await _read(scope, receive, max_bytes)
    except TimeoutError:
        message = f"The request body did not arrive within {MAX_SECONDS:.0f} seconds."
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "body_timeout", message, headers={"Connection": "close"}) from None
    return await asyncio.to_thread(parse, raw, item_lists) if len(raw) > LARGE_BYTES else parse(raw, item_lists)


def parse(raw: bytes, item_lists: Collection[str] = ()) -> Any:
    """Return the value of strict JSON text in UTF-8. Raises ApiError. `item_lists` are those of `read_json`."""
    try:
        _check_depth(raw)
        body = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_number,
            parse_int=_int,
            parse_constant=_no_constant,
        )
    except (ValueError, ArithmeticError):  # ArithmeticError: the exponent is too large for Decimal
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid_json", "Invalid JSON body.") from None
    return _with_storable_text(body, item_lists) if b"\\u" in raw else body  # only an escape can be unstorable


def _check_media_type(received: RequestHeaders) -> None:
    if not _is_json(received.first(b"content-type") or b""):
        message = "The request body must be sent as Content-Type: application/json, in UTF-8."
        headers = {"Accept": "application/json"}
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message, headers=headers)
    if received.first(b"content-encoding") not in {None, b"identity"}:
        message = "The request body must be sent without Content-Encoding."
        headers = {"Accept-Encoding": "identity"}
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message, headers=headers)


def _is_json(given: bytes) -> bool:
    """Return whether a media type is JSON in UTF-8. Parameters other than the charset are ignored."""
    match = JSON_TYPE.fullmatch(given.decode("latin-1"))
    if match is None:
        return False
    charsets = [value for name, value in re.findall(MEDIA_PARAMETER, match[1]) if name.lower() == "charset"]
    return all(value.strip('"').lower() in {"utf-8", "utf8"} for value in charsets)


async def _read(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    if int(state_of(scope).received.first(b"content-length") or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise malformed_request("The connection was closed before the request body was complete.")
        if BODY_ERROR in scope["state"]:
            raise scope["state"][BODY_ERROR]
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(max_bytes: int) -> ApiError:
    advice = " Send fewer items in each request." if max_bytes > MAX_BYTES else ""  # only lists of items need more
    message = f"The request body is larger than {max_bytes} bytes.{advice}"
    headers = {"Connection": "close"}
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message, headers=headers)


def _check_depth(raw: bytes) -> None:
    """Limit the nesting before the recursive parser runs."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for match in BRACKETS.finditer(raw):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise ValueError("too deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _number(text: str) -> Decimal | int:
    """Keep every digit; 1.0 and 1e2 are whole numbers."""
    number = Decimal(text)
    if not -MAX_DIGITS < number.adjusted() < MAX_DIGITS or len(text) > 2 * MAX_DIGITS:
        raise ValueError("out of range")
    return int(number) if number == number.to_integral_value() else number


def _no_constant(_name: str) -> Never:
    raise ValueError("not JSON")


def _with_storable_text(body: Any, item_lists: Collection[str]) -> Any:
    """Return the body with an InvalidItemError in the place of each item that cannot be stored.

    Raises ApiError 400 if anything else in the body cannot be stored.
    """
    members = body if isinstance(body, dict) else {}
    lists = {name: members[name] for name in item_lists if isinstance(members.get(name), list)}
    others = {name: value for name, value in members.items() if name not in lists} if lists else body
    if details := list(islice(_unstorable(others, ()), MAX_DETAILS)):
        raise validation_failed(details)
    checked = {name: [_storable_item(item) for item in items] for name, items in lists.items()}
    return {**members, **checked} if checked else body


def _storable_item(item: Any) -> Any:
    """Return an item, or an InvalidItemError if it cannot be stored."""
    details = list(islice(_unstorable(item, (), noun="The item"), MAX_ITEM_DETAILS))
    return InvalidItemError(item, details) if details else item


def _unstorable(value: Any, path: Path, noun: str = "The body") -> Iterator[ErrorDetail]:
    """Find NUL characters and unpaired surrogates. `noun` is what messages call the outermost value."""
    if isinstance(value, str) and UNSTORABLE.search(value):
        name = truncated(field_name(path, noun))
        yield ErrorDetail(pointer=pointer(path), message=f"{name} contains NUL or an unpaired surrogate")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable(item, (*path, index))
    elif isinstance(value, dict):
        for name, member in value.items():
            if UNSTORABLE.search(name):
                yield ErrorDetail(pointer=pointer(path), message="A name contains NUL or an unpaired surrogate")
            else:
                yield from _unstorable(member, (*path, name))
