"""Early responses reach a client that is still sending its request.

A socket that is closed with unread data is reset, and the reset destroys the response in transit. So the rest of the
request is read and discarded, up to a limit of bytes and time (RFC 9112, section 9.6).
"""

import asyncio
from collections.abc import Callable
from typing import Any

# nginx keeps reading until it has received no data for 5 s. The largest accepted body is 1 MB.
LINGER_SECONDS = 5.0
LINGER_BYTES = 64_000_000


class LingeringTransport:
    """The transport of a connection. Its `close` keeps reading while the client may still be sending."""

    def __init__(self, transport: asyncio.Transport, is_receiving: Callable[[], bool]) -> None:
        """Initialize with the transport, and a function that returns whether the client may still be sending."""
        self._transport = transport
        self._is_receiving = is_receiving
        self._is_ended = False  # the response is complete, and no other one will follow
        self._spare_bytes = LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._is_ended or self._transport.is_closing()

    def close(self) -> None:
        """Close the sending side, and the connection when the client has finished. A second call closes it now."""
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
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

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
