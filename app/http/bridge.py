"""From ASGI to Flask: one thread handles the whole request, and the response is returned in one piece.

Writes to SQLite have one thread, in which several share a commit (`app/http/write_lane.py`).

This replaces the a2wsgi of Connexion's FlaskApp, which switches between threads three times for each response and has a
fixed pool of ten. What Flask reads from a request, and how it returns a response, is in `flask_hooks.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import cast

import flask
from starlette.types import Receive, Scope, Send

from app.commit_group import CommitGroup
from app.db import Database
from app.errors import DatabaseUnavailableError
from app.http import flask_hooks
from app.http.conditions import VersionReader
from app.http.flask_hooks import Environ, WireResponse
from app.http.request_state import Headers, state_of
from app.http.short_reads import ShortReads
from app.http.threads import Threads
from app.http.write_lane import WriteLane
from app.spec import Operation

REPORT_THREADS = 2  # separate threads, so that reports do not block shorter requests
REPORT_TAG = "Reports"
BULK_TAG = "Bulk"  # requests that are committed alone: others would wait for them
RESPONSE_SECONDS = 10.0  # including the wait for a thread; a request that has not started by then is not executed

WsgiApp = Callable[[Environ, None], WireResponse]
Response = tuple[int, Headers, bytes]


class Bridge:
    """An ASGI application around a WSGI one."""

    def __init__(
        self, app: flask.Flask, *, versions: VersionReader, short_reads: ShortReads, database: Database
    ) -> None:
        """Initialize with the application, and the database, which decides how many requests may run at once.

        `versions` responds to requests that do not need the application, and `short_reads` decides which ones do not
        need a thread.

        Reads, writes and reports have separate pools, so that waiting writes do not block reads. The threads for
        reports are taken from those for reads.
        """
        self._flask = app
        self._wsgi_app = cast("WsgiApp", app.wsgi_app)
        self._versions = versions
        self._short_reads = short_reads
        self._report_threads = Threads(REPORT_THREADS, "report")
        self._read_threads = Threads(database.readers - REPORT_THREADS, "read")
        self._write_threads = Threads(database.writers, "write")
        self._write_lane = WriteLane(database.new_group) if database.new_group else None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Run the request and send its response. Raises DatabaseUnavailableError after RESPONSE_SECONDS."""
        state = state_of(scope)
        response = self._short_reads.run(state, self._respond, scope) if self._short_reads.include(state) else None
        status, headers, body = response or await self._run_in_thread(scope)
        headers.extend(state.headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _run_in_thread(self, scope: Scope) -> Response:
        try:
            return await self._result(scope)
        except TimeoutError:
            raise DatabaseUnavailableError(f"no response within {RESPONSE_SECONDS:.0f} s") from None

    def stop(self) -> None:
        """Wait for the requests that run, and end the threads."""
        for threads in (self._read_threads, self._report_threads, self._write_threads):
            threads.stop()
        if self._write_lane is not None:
            self._write_lane.stop()

    async def _result(self, scope: Scope) -> Response:
        """Return the response from a thread. Raises TimeoutError after RESPONSE_SECONDS."""
        operation = state_of(scope).operation
        assert operation is not None  # RoutingMiddleware runs first
        if self._write_lane is None or operation.is_read_only:
            return await self._threads(operation).run(self._respond, scope, seconds=RESPONSE_SECONDS)
        run, is_alone = partial(self._respond, scope), operation.tag == BULK_TAG
        return await self._write_lane.run(run, is_alone=is_alone, seconds=RESPONSE_SECONDS)

    def _threads(self, operation: Operation) -> Threads:
        if not operation.is_read_only:
            return self._write_threads
        return self._report_threads if operation.tag == REPORT_TAG else self._read_threads

    def _respond(self, scope: Scope, group: CommitGroup | None = None) -> Response:
        state = state_of(scope)
        state.group = group
        return self._versions.not_modified(state) or self._run(flask_hooks.environ(scope["method"], state))

    def _run(self, environ: Environ) -> Response:
        flask_hooks.keep_app_context(self._flask)
        response = self._wsgi_app(environ, None)
        return response.wire_status, response.wire_headers, response.wire_body
