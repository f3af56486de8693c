"""What uvicorn's HTTP protocol does not handle: unlimited heads, `Upgrade`, malformed HTTP, early responses.

1. A head or trailer that is too long is rejected; if it arrives too slowly, the connection is closed.
2. A request with `Upgrade` is an ordinary request: this server speaks HTTP/1.1 only.
3. A request that the parser rejects gets a response, and is counted and logged like every other request.
4. A response that is sent before its request is complete reaches the client (`transport.py`).

Why it is built on uvicorn's class: docs/decisions/0012.
"""

import asyncio

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.access import AccessMiddleware
from app.http.client_address import ClientAddresses
from app.http.errors import ApiError, ErrorMiddleware, malformed_request
from app.http.request_state import BODY_ERROR, Headers
from app.http.transport import EdgeTransport

PEERS = ClientAddresses()  # of a request that cannot be parsed, nothing but its connection is certain
MAX_HEAD_BYTES = 65_536  # Node.js accepts 16 KiB, nginx 32 KiB
MAX_URL_BYTES = 65_535  # httptools parses URLs with 16-bit offsets
MAX_HEAD_SECONDS = 10.0  # Apache allows 20 s, nginx 60 s


class EdgeProtocol(HttpToolsProtocol):
    """One connection: uvicorn's protocol with limits, without protocol upgrades, and with errors in JSON."""

    _held_bytes = 0  # received since the last callback of the parser, which buffers heads and trailers
    _head_deadline: asyncio.TimerHandle | None = None
    _is_in_head = False  # a message has begun, its head is not complete
    _is_in_body = False  # the head is complete, the message is not
    _is_refused = False  # the parser has failed and reads no more data

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        self._edge_transport = EdgeTransport(transport, lambda: self._is_in_body or self._is_refused)
        super().connection_made(self._edge_transport)  # type: ignore[arg-type]
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Parse the data of a request; discard data after the last response."""
        self._edge_transport.received(len(data))
        if not self._is_refused and not self.transport.is_closing():
            self._held_bytes += len(data)
            self._parse(memoryview(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a closed connection."""
        self._stop_waiting()
        self._edge_transport.stop_lingering()
        super().connection_lost(exc)

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a head. Its size is limited from here on, and its time if the data received does not complete it."""
        super().on_message_begin()
        self._unset_keepalive_if_required()
        self._is_in_head = True
        if self._head_deadline is None:
            self._held_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, without trailing space. Trailers are dropped: they arrive after the headers were checked."""
        if not self._is_in_body:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Start the request. What follows the head has its own limits."""
        self._held_bytes = 0
        self._is_in_head = False
        self._stop_waiting()
        self._unset_keepalive_if_required()
        if self.parser.get_method() == b"CONNECT":
            raise malformed_request("CONNECT is not supported: this server is not a proxy.")
        if len(self.url) > MAX_URL_BYTES:
            raise malformed_request(f"The URL is longer than {MAX_URL_BYTES} bytes.")
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self._is_in_body = True

    def on_chunk_header(self) -> None:
        """Record that the parser has made progress."""
        self._held_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Forward a part of a body."""
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Forward the end of a message, except for the empty one that the parser reports for an `Upgrade`."""
        if not self.parser.should_upgrade():
            self._is_in_body = False
            self._edge_transport.stop_lingering()
            super().on_message_complete()

    def _parse(self, data: memoryview) -> None:
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_parser_error(error), is_method_known=isinstance(error, httptools.HttpParserInvalidURLError))
        else:
            if self._held_bytes > MAX_HEAD_BYTES:
                self._refuse(malformed_request(f"The head of the request is longer than {MAX_HEAD_BYTES} bytes."))
                self._edge_transport.linger(MAX_HEAD_BYTES)
            elif self._is_in_head and self._head_deadline is None:
                self._await_head()

    def _feed(self, data: memoryview) -> None:
        """Feed the parser. If it stops at an `Upgrade`, feed it the same head without that header, and continue.

        The parser treats the data after such a head as another protocol or, if it is fed more data, as the next
        request. A server that ignores `Upgrade` reads an ordinary request with its body (RFC 9110, section 7.8).
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
        """Continue with a new parser, which reads this head first."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as in uvicorn; that data is dropped
        self.parser.feed_data(b"\r\n".join([line, *(b"%b: %b" % header for header in headers), b"", b""]))

    # Requests that the parser rejects

    def _refuse(self, error: ApiError, *, is_method_known: bool = False) -> None:
        """Respond to a request that cannot be parsed, after all earlier responses, and close the connection."""
        self._is_refused = True
        self._stop_waiting()
        if not self._is_in_body:
            self._respond(error, is_method_known=is_method_known)
        elif self.cycle.response_complete:
            self.transport.close()
        else:  # the reader of the body raises the error
            self.cycle.scope["state"][BODY_ERROR] = error
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def _respond(self, error: ApiError, *, is_method_known: bool) -> None:
        """Replace the request that cannot be parsed by one that fails with `error`."""
        method = self.parser.get_method().decode() if self.url or is_method_known else "-"
        path = self.url.decode("latin-1")
        request_id = [header for header in self.headers if header[0] == b"x-request-id"]
        self.app = AccessMiddleware(ErrorMiddleware(_failing(error)), addresses=PEERS)
        self._parse_head(b"GET / HTTP/1.1", [(b"connection", b"close"), *request_id])
        self.scope["method"], self.scope["path"] = method, path

    # Limits on waiting

    def on_response_complete(self) -> None:
        """Send the response. Discard the rest of a request whose response was sent early."""
        self._edge_transport.send()
        super().on_response_complete()
        if self._is_in_body and self.cycle.response_complete and not self.transport.is_closing():
            self._edge_transport.linger()

    def _await_head(self) -> None:
        self._held_bytes = 0
        self._head_deadline = self.loop.call_later(MAX_HEAD_SECONDS, self._head_timed_out)

    def _stop_waiting(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_timed_out(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:  # the client is waiting for a response
            self._await_head()
            return
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.abort()


def _parser_error(error: httptools.HttpParserError) -> ApiError:
    """Return the response to a request that the parser rejects."""
    if isinstance(error.__context__, ApiError):
        return error.__context__
    if isinstance(error, httptools.HttpParserInvalidURLError):
        return malformed_request("The URL contains a character that must be percent-encoded.")
    reason = "" if isinstance(error, httptools.HttpParserCallbackError) else f": {error}"
    return malformed_request(f"The request is not valid HTTP{reason}.")


def _failing(error: ApiError) -> ASGIApp:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return fail
