"""Conditional requests: the headers `If-None-Match` and `If-Match` (contract, section 9.2; RFC 9110, section 13).

1. A GET with the current tag returns 304. One small statement reads the version, before Flask is called.
2. For a write, the headers become a Precondition, which the service checks under the lock of the row.

The document defines the syntax of `If-Match`. In `If-None-Match` of a GET, what is not a tag matches nothing. Not in
this module: tags (`app/schemas/tags.py`), and what a version is (`app/services/versions.py`).
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy import Engine

from app.context import now
from app.db import Database
from app.driver import DriverSelect
from app.http.request_state import Headers, RequestState
from app.preconditions import ANY, Precondition
from app.queries import tenant
from app.services import versions
from app.services.versions import VersionQuery

IF_MATCH, IF_NONE_MATCH = "if_match", "if_none_match"  # the headers, among the arguments of an operation
EXISTS = "*"  # in place of tags: the resource exists
TAG = re.compile(r'(?:W/)?("[!#-~\x80-\xff]*")')
LIST = re.compile(rf"[ \t,]*{TAG.pattern}(?:[ \t]*,[ \t,]*{TAG.pattern})*[ \t,]*")
NOT_MODIFIED = int(HTTPStatus.NOT_MODIFIED)

Arguments = Mapping[str, Any]
NotModified = tuple[int, Headers, bytes]


class VersionReader:
    """Responds to a GET without its handler if the client has the current representation."""

    def __init__(self, database: Database, handlers: Mapping[str, Callable[..., Any]]) -> None:
        """Prepare the statement of each operation whose handler has a version."""
        found = {name: versions.find(handler) for name, handler in handlers.items()}
        self._queries = {name: query for name, query in found.items() if query is not None}
        self._statements = self._prepared(database.reading_engine(is_on_loop=False))
        self._statements_on_loop = self._prepared(database.reading_engine(is_on_loop=True))

    def not_modified(self, state: RequestState) -> NotModified | None:
        """Return the 304, or None if the request has to run. Raises DatabaseUnavailableError."""
        given, operation = state.arguments.get(IF_NONE_MATCH), state.operation
        if given is None or operation is None or operation.id not in self._queries:
            return None
        query = self._queries[operation.id]
        statements = self._statements_on_loop if state.is_on_loop else self._statements
        rows = statements[operation.id].rows(_parameters(query, state))
        tag = query.version.tag(rows) if rows else None
        return (NOT_MODIFIED, [(b"etag", tag.encode())], b"") if tag and matches(given, tag) else None

    def _prepared(self, engine: Engine) -> dict[str, DriverSelect]:
        return {name: DriverSelect(engine, query.version.sql) for name, query in self._queries.items()}


def _parameters(query: VersionQuery, state: RequestState) -> dict[str, object]:
    assert state.key is not None  # AuthMiddleware rejects requests without a key
    own = {name: state.arguments[argument] for name, argument in query.arguments.items()}
    return {tenant.COMPANY_PARAMETER: state.key.company_id, "now": now(), **own}


def matches(if_none_match: str | None, tag: str | None) -> bool:
    """Return True if the header of a GET has the tag, by weak comparison. A malformed header has none."""
    if if_none_match is None or tag is None:
        return False
    return if_none_match == EXISTS or (LIST.fullmatch(if_none_match) is not None and tag in TAG.findall(if_none_match))


def precondition(arguments: Arguments) -> Precondition:
    """Return what the valid headers of a write require."""
    if_match = arguments.get(IF_MATCH)
    tags = None if if_match is None else ANY if if_match == EXISTS else frozenset(TAG.findall(if_match))
    return Precondition(tags=tags, must_be_new=IF_NONE_MATCH in arguments)


def without_headers(arguments: Arguments) -> dict[str, Any]:
    """Return the arguments of a handler, which does not get these headers."""
    return {name: value for name, value in arguments.items() if name not in {IF_MATCH, IF_NONE_MATCH}}
