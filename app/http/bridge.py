"""From ASGI to Flask: one thread handles the whole request, and the response is returned in one piece.

This replaces the a2wsgi of Connexion's FlaskApp, which switches between threads three times for each response and has a
fixed pool of ten. Handlers never read the request from Flask, so the WSGI environ has no headers and no body.
"""

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import Receive, Scope, Send

from app.errors import DatabaseUnavailableError
from app.http.conditions import VersionReader
from app.http.request_state import STATE_KEY, Headers, state_of
from app.http.threads import Threads

REPORT_THREADS = 2  # separate threads, so that reports do not block shorter requests
REPORT_TAG = "Reports"
RESPONSE_SECONDS = 10.0  # including the wait for a thread; a request that has not started by then is not executed

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
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
        return self._versions.not_modified(state_of(scope)) or self._run(_environ(scope))

    def _run(self, environ: Environ) -> Response:
        started: list[tuple[int, Headers]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            started.append((int(status[:3]), encoded))

        chunks = self.app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return *started[-1], body


def _environ(scope: Scope) -> Environ:
    """Return what Flask's routing needs, and the RequestState."""
    return {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        STATE_KEY: scope[STATE_KEY],
    }
