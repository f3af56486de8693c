"""What uvicorn's HTTP parser leaves open: bounds on a request's head, and `Upgrade`.

A head that is too long or too slow closes the connection; the memory and the socket are free again. A request that
asks for another protocol is an ordinary request: this server speaks HTTP/1.1 only.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.http.call import Headers

MAX_HEAD_BYTES = 65_536
MAX_HEAD_SECONDS = 10.0


class EdgeProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds on heads and without a change of protocol."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Parse; count what belongs to a head that is still open."""
        self._unset_keepalive_if_required()
        try:
            self._parse(memoryview(data))
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._deadline is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up()

    def on_message_begin(self) -> None:
        """Begin to wait for the end of the next request's head."""
        super().on_message_begin()
        if self._deadline is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Stop waiting: what follows the head has bounds of its own."""
        self._stop_waiting()
        if self.parser.get_method() == b"CONNECT":
            raise ValueError("no tunnels here")
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Pass on, except the empty message that the parser makes of a request with `Upgrade`."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline of a connection that is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _parse(self, data: memoryview) -> None:
        """Feed the parser. Where it stops for an `Upgrade`, feed it the same head without one, and go on.

        The parser takes what follows such a head for another protocol, or, fed with more, for the next request. RFC
        9110, section 7.8: a server that ignores `Upgrade` reads an ordinary request, with its body.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._parse_again([header for header in self.headers if header[0] != b"upgrade"])
                data = data[upgrade.args[0] :]
            else:
                break

    def _parse_again(self, headers: Headers) -> None:
        """Give a new parser the head that was read last, with other headers."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in headers]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does: it is dropped
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(MAX_HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.abort()
