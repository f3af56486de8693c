"""Answers that leave before their request has come in whole must reach a client that is still sending.

A socket that is closed with data unread is reset, and the reset destroys the answer on its way. So what still comes is
read and thrown away for a moment, bounded in bytes and time (RFC 9112, section 9.6).
"""

import asyncio
from collections.abc import Callable
from typing import Any

# nginx reads on until 5 s pass without data; the largest body that is accepted has 1 MB.
LINGER_SECONDS = 5.0
LINGER_BYTES = 64_000_000


class LingeringTransport:
    """A connection's transport, whose `close` reads on while the client may be sending."""

    def __init__(self, transport: asyncio.Transport, is_open: Callable[[], bool]) -> None:
        """Take the connection's own transport, and who knows whether more is to come from the client."""
        self._transport = transport
        self._is_open = is_open
        self._is_ended = False  # nothing more will be sent
        self._spare_bytes = LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._is_ended or self._transport.is_closing()

    def close(self) -> None:
        """Close for sending, and the rest when the client is done; a second time closes at once."""
        if self.is_closing() or not self._is_open():
            self._transport.close()
            return
        self._is_ended = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self.linger()

    def linger(self, spare_bytes: int = LINGER_BYTES) -> None:
        """Begin the moment in which what comes is thrown away; when it is over, the connection is closed."""
        if self._timer is None:
            self._spare_bytes = spare_bytes
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def received(self, size: int) -> None:
        """Count what has come since the moment began."""
        if self._timer is not None:
            self._spare_bytes -= size
            if self._spare_bytes < 0:
                self._transport.close()

    def stop_lingering(self) -> None:
        """End the moment: the request is complete, or the connection gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
