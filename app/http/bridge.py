"""From ASGI to Flask: one thread handles the whole request, and the response is returned in one piece.

This replaces the a2wsgi of Connexion's FlaskApp, which switches between threads three times for each response and has a
fixed pool of ten. What Flask reads from a request, and how it returns a response, is in `flask_hooks.py`.
"""

from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from app.errors import DatabaseUnavailableError
from app.http import flask_hooks
from app.http.conditions import VersionReader
from app.http.flask_hooks import Environ, WireResponse
from app.http.request_state import Headers, state_of
from app.http.threads import Threads

REPORT_THREADS = 2  # separate threads, so that reports do not block shorter requests
REPORT_TAG = "Reports"
RESPONSE_SECONDS = 10.0  # including the wait for a thread; a request that has not started by then is not executed

WsgiApp = Callable[[Environ, None], WireResponse]
Response = tuple[int, Headers, bytes]


class Bridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, app: WsgiApp, *, versions: VersionReader, readers: int, writers: int) -> None:
        """Initialize with the WSGI application, and the number of requests that may read and write at the same time.

        `versions` responds to requests that do not need the application.

        Reads, writes and reports have separate pools, so that waiting writes do not block reads. The threads for
        reports are taken from those for reads.
        """
        self.app = app
        self._versions = versions
        self._report_threads = Threads(REPORT_THREADS, "report")
        self._read_threads = Threads(readers - REPORT_THREADS, "read")
        self._write_threads = Threads(writers, "write")

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Run the request in a thread and send its response. Raises DatabaseUnavailableError after RESPONSE_SECONDS."""
        try:
            status, headers, body = await self._threads(scope).run(self._respond, scope, seconds=RESPONSE_SECONDS)
        except TimeoutError:
            raise DatabaseUnavailableError(f"no response within {RESPONSE_SECONDS:.0f} s") from None
        headers.extend(state_of(scope).headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def stop(self) -> None:
        """Wait for the requests that run, and end the threads."""
        for threads in (self._read_threads, self._report_threads, self._write_threads):
            threads.stop()

    def _threads(self, scope: Scope) -> Threads:
        operation = state_of(scope).operation
        assert operation is not None  # RoutingMiddleware runs first
        if not operation.is_read_only:
            return self._write_threads
        return self._report_threads if operation.tag == REPORT_TAG else self._read_threads

    def _respond(self, scope: Scope) -> Response:
        state = state_of(scope)
        return self._versions.not_modified(state) or self._run(flask_hooks.environ(scope["method"], state))

    def _run(self, environ: Environ) -> Response:
        response = self.app(environ, None)
        return response.wire_status, response.wire_headers, response.wire_body
