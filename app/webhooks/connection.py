"""One connection to a receiver: opened to a checked address, bounded in everything it reads.

Speaks HTTP/1.1 through h11. Not here: which connection is used for what, and deadlines (`app/webhooks/sender.py`).
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import h11

from app.egress import Address, Target

MAX_HEAD = 16_384  # bytes of status line and headers
MAX_BODY = 65_536  # bytes, as they come and decompressed
MAX_INTERIM = 10  # 1xx answers before the real one
READ_BYTES = 16_384
COMPRESSED = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # to zlib's window bits


class StaleError(Exception):
    """A connection that was kept open was closed by the other side before it answered anything."""


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


class Connection:
    """An open connection; `is_reusable` after an answer that was read to its end."""

    def __init__(self, place: tuple[str, str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take an open stream and what place it leads to."""
        self.place = place
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._is_used = False
        self._is_silent = True  # nothing of the answer under way has come
        self.answer: Answer | None = None  # of the request under way, also when it was cut off
        self.idle_since = 0.0

    @classmethod
    async def open(cls, target: Target, address: Address, tls: ssl.SSLContext) -> "Connection":
        """Connect to `address`; over TLS the certificate must be that of the target's host."""
        secure = {"ssl": tls, "server_hostname": target.host} if target.scheme == "https" else {}
        stream = await asyncio.open_connection(str(address), target.port, limit=MAX_BODY, **secure)  # type: ignore[arg-type]
        return cls(target.place, *stream)

    @property
    def is_reusable(self) -> bool:
        """Tell whether another request may be sent."""
        return self._http.our_state is self._http.their_state is h11.DONE and not self._reader.at_eof()

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and read its answer, at most MAX_BODY of it.

        Raises OSError, h11.RemoteProtocolError for what is not HTTP, and StaleError.
        """
        if self._is_used:
            self._http.start_next_cycle()
        self.answer, self._is_silent = None, True
        framing = [("Host", target.authority), ("Content-Length", str(len(body))), ("Accept-Encoding", "identity")]
        request = h11.Request(method="POST", target=target.path, headers=[*framing, *headers.items()])
        self._writer.write(
            b"".join(self._http.send(each) or b"" for each in (request, h11.Data(data=body), h11.EndOfMessage()))
        )
        self.answer = await self._head()
        await self._read_body(self.answer)
        self._is_used = True
        self.idle_since = time.monotonic()
        return self.answer

    def close(self) -> None:
        """Drop the connection without a farewell: what the other side still sends is of no interest."""
        self._writer.transport.abort()

    async def _head(self) -> Answer:
        try:
            await self._writer.drain()
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
            data = await self._reader.read(READ_BYTES)
            self._is_silent = self._is_silent and not data
            self._http.receive_data(data)
        return event

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._reader.at_eof():
                raise ConnectionResetError("The other side closed in the middle of an answer.") from error
            raise
