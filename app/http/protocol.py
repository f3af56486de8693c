"""What uvicorn's HTTP protocol leaves open: heads without end, `Upgrade`, what is not HTTP, answers that come early.

- A head (or a trailer) that is too long is refused, one that is too slow closes the connection.
- A request with `Upgrade` is an ordinary request: this server speaks HTTP/1.1 only.
- What the parser refuses is answered, counted and logged like every other request.
- An answer that leaves before its request has come in whole reaches its client (`lingering.py`).
"""

import asyncio

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.access import AccessMiddleware
from app.http.errors import ApiError, ErrorMiddleware, malformed
from app.http.lingering import LingeringTransport
from app.http.request_state import BODY_FAULT, Headers

MAX_HEAD_BYTES = 65_536
MAX_URL_BYTES = 65_535  # httptools takes URLs apart with 16-bit offsets
MAX_HEAD_SECONDS = 10.0


class EdgeProtocol(HttpToolsProtocol):
    """One connection: uvicorn's protocol with bounds, without a change of protocol, and with errors in JSON."""

    _held_bytes = 0  # received since the parser last passed something on: it holds heads and trailers back
    _deadline: asyncio.TimerHandle | None = None
    _in_body = False  # the head is complete, the message is not
    _refused = False  # the parser has given up

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        self._lingering = LingeringTransport(transport, lambda: self._in_body or self._refused)
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Parse what belongs to a request; throw away what follows the last answer."""
        self._lingering.received(len(data))
        if not self._refused and not self.transport.is_closing():
            self._held_bytes += len(data)
            self._parse(memoryview(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers of a connection that is gone."""
        self._stop_waiting()
        self._lingering.stop_lingering()
        super().connection_lost(exc)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin to wait for the end of the next request's head."""
        super().on_message_begin()
        self._unset_keepalive_if_required()
        if self._deadline is None:
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, without the space behind it. Trailers are dropped: they follow what judges headers."""
        if not self._in_body:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Hand the request over: what follows the head has bounds of its own."""
        self._held_bytes = 0
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if self.parser.get_method() == b"CONNECT":
            raise malformed("CONNECT is not supported: this server is no proxy.")
        if len(self.url) > MAX_URL_BYTES:
            raise malformed(f"The URL is longer than {MAX_URL_BYTES} bytes.")
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self._in_body = True

    def on_chunk_header(self) -> None:
        """Note that the parser has moved on."""
        self._held_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Pass on a part of a body."""
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass on, except the empty message that the parser makes of a request with `Upgrade`."""
        if not self.parser.should_upgrade():
            self._in_body = False
            self._lingering.stop_lingering()
            super().on_message_complete()

    def _parse(self, data: memoryview) -> None:
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_fault(error), is_method_known=isinstance(error, httptools.HttpParserInvalidURLError))
        else:
            if self._held_bytes > MAX_HEAD_BYTES:
                self._refuse(malformed(f"The head of the request is longer than {MAX_HEAD_BYTES} bytes."))
                self._lingering.linger(MAX_HEAD_BYTES)

    def _feed(self, data: memoryview) -> None:
        """Feed the parser. Where it stops for an `Upgrade`, feed it the same head without one, and go on.

        The parser takes what follows such a head for another protocol, or, fed with more, for the next request. RFC
        9110, section 7.8: a server that ignores `Upgrade` reads an ordinary request, with its body.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
                self._parse_head(line, [header for header in self.headers if header[0] != b"upgrade"])
                data = data[upgrade.args[0] :]
            else:
                break

    def _parse_head(self, line: bytes, headers: Headers) -> None:
        """Go on with a new parser, which reads this head first."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does: it is dropped
        self.parser.feed_data(b"\r\n".join([line, *(b"%b: %b" % header for header in headers), b"", b""]))

    # What the parser refuses

    def _refuse(self, error: ApiError, *, is_method_known: bool = False) -> None:
        """Answer what cannot be parsed, in its turn; the connection is closed behind the answer."""
        self._refused = True
        self._stop_waiting()
        if not self._in_body:
            self._answer(error, is_method_known=is_method_known)
        elif self.cycle.response_complete:
            self.transport.close()
        else:  # the reader of the body answers
            self.cycle.scope["state"][BODY_FAULT] = error
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def _answer(self, error: ApiError, *, is_method_known: bool) -> None:
        """Put a request that fails with `error` in the place of the one that cannot be parsed."""
        method = self.parser.get_method().decode() if self.url or is_method_known else "-"
        path = self.url.decode("latin-1")
        given = [header for header in self.headers if header[0] == b"x-request-id"]
        self.app = AccessMiddleware(ErrorMiddleware(_failing(error)))
        self._parse_head(b"GET / HTTP/1.1", [(b"connection", b"close"), *given])
        self.scope["method"], self.scope["path"] = method, path

    # Bounds on waiting

    def on_response_complete(self) -> None:
        """Read the rest of a request that was answered before it was complete, for a moment."""
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._lingering.linger()

    def _await_head(self) -> None:
        self._held_bytes = 0
        self._deadline = self.loop.call_later(MAX_HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # it is the client who waits, for an answer
            self._await_head()
            return
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.abort()


def _fault(error: httptools.HttpParserError) -> ApiError:
    """Return what is wrong with a request that the parser refuses."""
    if isinstance(error.__context__, ApiError):
        return error.__context__
    if isinstance(error, httptools.HttpParserInvalidURLError):
        return malformed("The URL contains a character that must be percent-encoded.")
    reason = "" if isinstance(error, httptools.HttpParserCallbackError) else f": {error}"
    return malformed(f"The request is not valid HTTP{reason}.")


def _failing(error: ApiError) -> ASGIApp:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return fail
