"""One HTTP/1.1 connection to a receiver, based on asyncio and h11, with a limit on everything that is read.

Rules of this file:

1. A connection is opened to an address that `app/egress.py` has checked. It is never redirected and uses no proxy.
2. Bytes that arrive before a request was sent are not its response (RFC 9112, section 6.3): a new connection fails, a
   kept one is stale.
3. A connection is used again only if both messages ended, the end of the response was unambiguous, and nothing follows.
4. StaleError means that the receiver cannot have processed the request: the caller may send it on another connection.

Not in this module: which connection is used for which request, and deadlines (`app/delivery/sender.py`).
"""

import asyncio
import select
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import h11

from app.egress import Origin, Target
from app.networks import Address

MAX_HEAD_BYTES = 16_384  # status line and headers; the default limit of h11 and of Node.js
MAX_BODY_BYTES = 65_536  # as received, and decompressed
MAX_INTERIM_RESPONSES = 10  # 1xx before the final response
MAX_UNREAD_BYTES = 65_536  # received and not read yet; more is left to TCP's flow control
MAX_TURNS = 10  # of the event loop, to receive data that the system has already buffered
ZLIB_WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # by Content-Encoding


class StaleError(Exception):
    """A kept connection cannot be used again: the receiver closed it, or sent something without a request."""


class UnsolicitedResponseError(h11.RemoteProtocolError):
    """A receiver sent something on a new connection before the request."""

    def __init__(self) -> None:
        """Use the message, which is always the same."""
        super().__init__("There was a response before the request.")


@dataclass(slots=True)
class Response:
    """The response of a receiver, as far as it was read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytearray = field(default_factory=bytearray)

    def header(self, name: bytes) -> bytes | None:
        """Return the value of the first header with this lower-case name."""
        return next((value for header, value in self.headers if header == name), None)

    def content(self) -> bytes:
        """Return the body, decompressed up to MAX_BODY_BYTES."""
        bits = ZLIB_WINDOW_BITS.get((self.header(b"content-encoding") or b"").strip().lower())
        if bits is None:
            return bytes(self.body)
        try:
            return zlib.decompressobj(bits).decompress(self.body, MAX_BODY_BYTES)
        except zlib.error:
            return bytes(self.body)


class Stream(asyncio.Protocol):
    """The bytes of one socket. Unlike asyncio's own streams, it shows whether there are unread bytes."""

    def __init__(self) -> None:
        """Start without a socket."""
        self.is_closed = False  # by the receiver or the network
        self._unread = bytearray()
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Buffer bytes until they are read; pause receiving at MAX_UNREAD_BYTES."""
        self._unread += data
        if len(self._unread) >= MAX_UNREAD_BYTES:
            self.transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        """Record the end; the transport closes itself."""
        self.is_closed = True
        self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Record the end and its cause."""
        self.is_closed, self._error = True, error
        self._changed.set()

    @property
    def has_unread(self) -> bool:
        """Whether there are unread bytes."""
        return bool(self._unread)

    async def read(self) -> bytes:
        """Wait for bytes and return them, or none at the end. Raises OSError if the connection broke."""
        while not (self._unread or self.is_closed):
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None and not self._unread:
            raise self._error
        data = bytes(self._unread)
        self._unread.clear()
        self.transport.resume_reading()
        return data

    async def is_quiet(self) -> bool:
        """Return True if there are no unread bytes, neither here nor in the buffers of the system.

        The system may have buffered bytes that TLS consumes, such as a session ticket, so the loop runs until they are
        received.
        """
        for _ in range(MAX_TURNS):
            if self._unread or self.is_closed or self.transport.is_closing():
                return False
            if not self._is_readable():
                return True
            await asyncio.sleep(0)
        return False

    def _is_readable(self) -> bool:
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))


class Connection:
    """An open connection. `is_reusable` is True after a response that was read to its end."""

    def __init__(self, origin: Origin, stream: Stream) -> None:
        """Initialize with an open stream and the origin that it is connected to."""
        self.origin = origin
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._is_used = False
        self._has_received = False  # anything of the current response
        self.response: Response | None = None  # to the current request, even if it was incomplete
        self.idle_since = 0.0

    @classmethod
    async def open(cls, target: Target, address: Address, tls: ssl.SSLContext) -> "Connection":
        """Connect to `address`. With TLS, the certificate must be valid for the target's host."""
        context, name = (tls, target.host) if target.scheme == "https" else (None, None)
        connecting = asyncio.get_running_loop().create_connection
        _, stream = await connecting(Stream, str(address), target.port, ssl=context, server_hostname=name)
        return cls(target.origin, stream)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent: both messages ended, and the end of the response is unambiguous."""
        is_complete = self._http.our_state is self._http.their_state is h11.DONE
        is_sent = not self._stream.transport.get_write_buffer_size()
        is_clear = not self.has_leftover and not self._is_ambiguous()
        return is_complete and is_sent and is_clear and not self._stream.is_closed

    @property
    def has_leftover(self) -> bool:
        """Whether there are bytes after the end of the response."""
        is_complete = self._http.their_state is h11.DONE
        return is_complete and (self._stream.has_unread or bool(self._http.trailing_data[0]))

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one request and read the response, at most MAX_BODY_BYTES of its body.

        Raises OSError, h11.RemoteProtocolError if the response is not HTTP, UnsolicitedResponseError, and StaleError.
        """
        self.response, self._has_received = None, False
        if not await self._stream.is_quiet():
            raise self._broken()
        if self._is_used:
            self._http.start_next_cycle()
        framing = [("Host", target.authority), ("Content-Length", str(len(body))), ("Accept-Encoding", "identity")]
        request = h11.Request(method="POST", target=target.path, headers=[*framing, *headers.items()])
        self._stream.transport.write(
            b"".join(self._http.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage()))
        )
        self.response = await self._read_head()
        await self._read_body(self.response)
        self._is_used = True
        self.idle_since = time.monotonic()
        return self.response

    def close(self) -> None:
        """Close the connection immediately, without waiting for the receiver."""
        self._stream.transport.abort()

    def _broken(self) -> Exception:
        if self._is_used:
            return StaleError()
        return UnsolicitedResponseError() if self._stream.has_unread else ConnectionResetError("The receiver closed.")

    def _is_ambiguous(self) -> bool:
        """Return True if the response defines its length in two ways (RFC 9112, section 6.3)."""
        names = {name for name, _ in self.response.headers} if self.response else set()
        return {b"transfer-encoding", b"content-length"} <= names

    async def _read_head(self) -> Response:
        try:
            event = await self._next_event()
        except ConnectionError as error:
            if self._is_used and not self._has_received:
                raise StaleError from error
            raise
        for _ in range(MAX_INTERIM_RESPONSES):
            if isinstance(event, h11.Response):
                return Response(status=event.status_code, headers=list(event.headers))
            event = await self._next_event()
        raise h11.RemoteProtocolError("There are too many interim responses.")

    async def _read_body(self, response: Response) -> None:
        while len(response.body) < MAX_BODY_BYTES:
            event = await self._next_event()
            if not isinstance(event, h11.Data):
                return
            response.body += event.data
        del response.body[MAX_BODY_BYTES:]

    async def _next_event(self) -> object:
        while (event := self._parsed_event()) is h11.NEED_DATA:
            data = await self._stream.read()
            self._has_received = self._has_received or bool(data)
            self._http.receive_data(data)
        return event

    def _parsed_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._stream.is_closed:
                raise ConnectionResetError("The receiver closed the connection during the response.") from error
            raise
