"""One connection to a receiver: opened to a checked address, bounded in everything it reads.

Speaks HTTP/1.1 through h11. Not here: which connection is used for what, and deadlines (`app/delivery/sender.py`).
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

from app.egress import Address, Target

MAX_HEAD = 16_384  # bytes of status line and headers
MAX_BODY = 65_536  # bytes, as they come and decompressed
MAX_INTERIM = 10  # 1xx answers before the real one
MAX_UNREAD = 65_536  # bytes that may wait to be read
MAX_TURNS = 10  # of the loop, to read what has arrived
COMPRESSED = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # to zlib's window bits


class StaleError(Exception):
    """A connection that was kept open cannot be used: the other side closed it, or sent something without a request."""


class UnaskedError(h11.RemoteProtocolError):
    """A receiver answered a new connection before anything was asked."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("There was an answer before the request.")


@dataclass(slots=True)
class Answer:
    """What a receiver said, as far as it was read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytearray = field(default_factory=bytearray)

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of a (lower-case) name."""
        return next((value for each, value in self.headers if each == name), None)

    def text(self) -> bytes:
        """Return the body, decompressed as far as it may be read."""
        bits = COMPRESSED.get((self.header(b"content-encoding") or b"").strip().lower())
        if bits is None:
            return bytes(self.body)
        try:
            return zlib.decompressobj(bits).decompress(self.body, MAX_BODY)
        except zlib.error:
            return bytes(self.body)


class Stream(asyncio.Protocol):
    """The bytes of one socket. It knows what has come and was not read, which asyncio's own streams do not show."""

    def __init__(self) -> None:
        """Start before there is a socket."""
        self.is_over = False  # the other side ended it, or the network did
        self._unread = bytearray()
        self._error: Exception | None = None
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came until it is read; take no more when it is much."""
        self._unread += data
        if len(self._unread) >= MAX_UNREAD:
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self) -> None:
        """Note the end; the transport closes itself."""
        self.is_over = True
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end and its cause."""
        self.is_over, self._error = True, error
        self._news.set()

    @property
    def has_unread(self) -> bool:
        """Whether something came that was not read."""
        return bool(self._unread)

    async def read(self) -> bytes:
        """Return what came, waiting for something; nothing at the end. Raises OSError when the connection broke."""
        while not (self._unread or self.is_over):
            self._news.clear()
            await self._news.wait()
        if self._error is not None and not self._unread:
            raise self._error
        data = bytes(self._unread)
        self._unread.clear()
        self.transport.resume_reading()
        return data

    async def is_quiet(self) -> bool:
        """Return whether nothing came that was not read, what the system still holds for us included.

        The system may hold bytes that mean nothing to HTTP: a TLS ticket, say. So the loop gets turns to read them.
        """
        for _ in range(MAX_TURNS):
            if self._unread or self.is_over or self.transport.is_closing():
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
    """An open connection; `is_reusable` after an answer that was read to its end."""

    def __init__(self, place: tuple[str, str, int], stream: Stream) -> None:
        """Take an open stream and what place it leads to."""
        self.place = place
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._is_used = False
        self._is_silent = True  # nothing of the answer under way has come
        self.answer: Answer | None = None  # of the request under way, also when it was cut off
        self.idle_since = 0.0

    @classmethod
    async def open(cls, target: Target, address: Address, tls: ssl.SSLContext) -> "Connection":
        """Connect to `address`; over TLS the certificate must be that of the target's host."""
        context, name = (tls, target.host) if target.scheme == "https" else (None, None)
        connecting = asyncio.get_running_loop().create_connection
        _, stream = await connecting(Stream, str(address), target.port, ssl=context, server_hostname=name)
        return cls(target.place, stream)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent: both messages are over, and it is clear where the answer ended."""
        are_over = self._http.our_state is self._http.their_state is h11.DONE
        is_sent = not self._stream.transport.get_write_buffer_size()
        is_clear = not self.has_leftover and not self._is_ambiguous()
        return are_over and is_sent and is_clear and not self._stream.is_over

    @property
    def has_leftover(self) -> bool:
        """Whether something came after the end of an answer."""
        is_after = self._http.their_state is h11.DONE
        return is_after and (self._stream.has_unread or bool(self._http.trailing_data[0]))

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and read its answer, at most MAX_BODY of it.

        Raises OSError, h11.RemoteProtocolError for what is not HTTP, UnaskedError and StaleError.
        """
        self.answer, self._is_silent = None, True
        if not await self._stream.is_quiet():  # what is there before the request is no answer to it
            raise self._broken()
        if self._is_used:
            self._http.start_next_cycle()
        framing = [("Host", target.authority), ("Content-Length", str(len(body))), ("Accept-Encoding", "identity")]
        request = h11.Request(method="POST", target=target.path, headers=[*framing, *headers.items()])
        self._stream.transport.write(
            b"".join(self._http.send(each) or b"" for each in (request, h11.Data(data=body), h11.EndOfMessage()))
        )
        self.answer = await self._head()
        await self._read_body(self.answer)
        self._is_used = True
        self.idle_since = time.monotonic()
        return self.answer

    def close(self) -> None:
        """Drop the connection without a farewell: what the other side still sends is of no interest."""
        self._stream.transport.abort()

    def _broken(self) -> Exception:
        if self._is_used:
            return StaleError()
        return UnaskedError() if self._stream.has_unread else ConnectionResetError("The other side closed at once.")

    def _is_ambiguous(self) -> bool:
        """Return whether the answer says in two ways where it ends (RFC 9112, section 6.3)."""
        named = {name for name, _ in self.answer.headers} if self.answer else set()
        return {b"transfer-encoding", b"content-length"} <= named

    async def _head(self) -> Answer:
        try:
            event = await self._event()
        except ConnectionError as error:
            if self._is_used and self._is_silent:
                raise StaleError from error
            raise
        for _ in range(MAX_INTERIM):
            if isinstance(event, h11.Response):
                return Answer(status=event.status_code, headers=list(event.headers))
            event = await self._event()
        raise h11.RemoteProtocolError("There are too many interim answers.")

    async def _read_body(self, answer: Answer) -> None:
        while len(answer.body) < MAX_BODY:
            event = await self._event()
            if not isinstance(event, h11.Data):
                return
            answer.body += event.data
        del answer.body[MAX_BODY:]

    async def _event(self) -> object:
        while (event := self._next_event()) is h11.NEED_DATA:
            data = await self._stream.read()
            self._is_silent = self._is_silent and not data
            self._http.receive_data(data)
        return event

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._stream.is_over:
                raise ConnectionResetError("The other side closed in the middle of an answer.") from error
            raise
