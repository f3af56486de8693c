"""The transport of a connection: head and body leave in one segment, and early responses reach the client.

1. uvicorn writes the head of a response and its body separately, which is two system calls and two segments. What is
   written until the response is complete, or until the event loop continues, is sent together.
2. A socket that is closed with unread data is reset, and the reset destroys the response in transit. So the rest of
   the request is read and discarded, up to a limit of bytes and time (RFC 9112, section 9.6).
"""

import asyncio
from collections.abc import Callable
from typing import Any

# nginx keeps reading until it has received no data for 5 s. The largest accepted body is 1 MB.
LINGER_SECONDS = 5.0
LINGER_BYTES = 64_000_000


class EdgeTransport:
    """The transport of a connection, which sends what is written together, and closes when the client has finished."""

    def __init__(self, transport: asyncio.Transport, is_receiving: Callable[[], bool]) -> None:
        """Initialize with the transport, and a function that returns whether the client may still be sending."""
        self._transport = transport
        self._is_receiving = is_receiving
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._is_ended = False  # the response is complete, and no other one will follow
        self._spare_bytes = LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._is_ended or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send `data` together with what is written until the response is complete or the event loop continues."""
        if not self._unsent:
            self._loop.call_soon(self.send)
        self._unsent.append(data)

    def send(self) -> None:
        """Send what is written now, when nothing will follow soon."""
        data = b"".join(self._unsent)
        self._unsent.clear()
        if data and not self.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        """Send what is written, and close the connection now."""
        self.send()
        self._transport.abort()

    def close(self) -> None:
        """Close the sending side, and the connection when the client has finished. A second call closes it now."""
        self.send()
        if self.is_closing() or not self._is_receiving():
            self._transport.close()
            return
        self._is_ended = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self.linger()

    def linger(self, spare_bytes: int = LINGER_BYTES) -> None:
        """Discard what the client sends from now on, then close the connection."""
        if self._timer is None:
            self._spare_bytes = spare_bytes
            self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def received(self, size: int) -> None:
        """Count the bytes that are discarded."""
        if self._timer is not None:
            self._spare_bytes -= size
            if self._spare_bytes < 0:
                self._transport.close()

    def stop_lingering(self) -> None:
        """Stop discarding: the request is complete, or the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
