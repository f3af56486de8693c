"""The hop from ASGI to Flask: one thread takes the whole request, the answer comes back in one piece.

Stands where Connexion's FlaskApp has a2wsgi, which crosses between threads three times for each answer and has a
fixed pool of ten. Handlers never read the request from Flask, so the WSGI environ carries no headers and no body.
"""

import asyncio
import contextvars
import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.types import Receive, Scope, Send

from app.errors import DatabaseUnavailableError
from app.http.request_state import KEY, Headers, call_of

REPORTERS = 2  # threads that reports have for themselves, so that they take none from shorter requests
REPORTS = "Reports"  # the tag of their operations
ANSWER_SECONDS = 10.0  # waiting for a thread included; what has not begun by then never does

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Sent = tuple[int, Headers, bytes]


class Bridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, app: WsgiApp, *, readers: int, writers: int) -> None:
        """Take the WSGI application, and how many requests may read and write at once.

        Those that write have threads of their own: however many wait for their turn, reading goes on. So have
        reports, taken from the readers'.
        """
        self.app = app
        self._reporters = ThreadPoolExecutor(REPORTERS, thread_name_prefix="reporter")
        self._readers = ThreadPoolExecutor(max_workers=readers - REPORTERS, thread_name_prefix="reader")
        self._writers = ThreadPoolExecutor(max_workers=writers, thread_name_prefix="writer")

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Run the request in a thread and send what it answered."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads(scope), context.run, self._answer, _environ(scope))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, headers, body = await running
        except TimeoutError:
            raise DatabaseUnavailableError(f"no answer within {ANSWER_SECONDS:.0f} s") from None
        headers.extend(call_of(scope).headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _threads(self, scope: Scope) -> ThreadPoolExecutor:
        if scope["method"] not in {"GET", "HEAD"}:
            return self._writers
        operation = call_of(scope).operation
        return self._reporters if operation is not None and operation.tag == REPORTS else self._readers

    def _answer(self, environ: Environ) -> Sent:
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
    """Return what Flask's routing needs, and the Call."""
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
        KEY: scope[KEY],
    }
