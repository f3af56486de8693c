"""A proxy in front of PostgreSQL that counts round trips: the messages for whose results a client waits."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import sqlalchemy as sa

AWAITED = b"QS"  # Query, and the Sync after statements of the extended protocol
VERSION = (196_608).to_bytes(4)  # 3.0: the start of a session; what comes before asks for encryption


class RoundTrips:
    """The number of round trips on all connections."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, function: Callable[[], object]) -> int:
        """Call a function and return its number of round trips."""
        before = self.count
        function()
        return self.count - before


class Requests:
    """What a client sends, as messages: type, length and content. Before the session, they have no type."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_session = False

    def awaited(self, data: bytes) -> int:
        """Return how many messages for whose results the client waits end in `data`."""
        self._rest += data
        count = 0
        while len(self._rest) >= self._is_session + 4:
            end = self._is_session + int.from_bytes(self._rest[self._is_session : self._is_session + 4])
            if len(self._rest) < end:
                break
            message, self._rest = self._rest[:end], self._rest[end:]
            count += self._is_session and message[:1] in AWAITED
            self._is_session = self._is_session or message[4:8] == VERSION
        return count


@contextlib.contextmanager
def round_trips(url: str) -> Iterator[tuple[str, RoundTrips]]:
    """Yield a URL that connects to the database of `url` through the proxy, and what it counts."""
    upstream = sa.make_url(url)
    found = RoundTrips()
    with contextlib.ExitStack() as sockets, socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, upstream, found, sockets), daemon=True).start()
        port = listener.getsockname()[1]
        yield upstream.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False), found
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, upstream: sa.URL, found: RoundTrips, sockets: contextlib.ExitStack) -> None:
    with contextlib.suppress(OSError):
        while True:
            client = sockets.enter_context(listener.accept()[0])
            server = sockets.enter_context(_connect(upstream))
            for target in (_count, _return):
                threading.Thread(target=target, args=(client, server, found), daemon=True).start()


def _connect(upstream: sa.URL) -> socket.socket:
    if upstream.host:
        return socket.create_connection((upstream.host, upstream.port or 5432))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{upstream.query['host']}/.s.PGSQL.{upstream.port or 5432}")
    return server


def _count(client: socket.socket, server: socket.socket, found: RoundTrips) -> None:
    """Send to the server what the client sends."""
    requests = Requests()
    with contextlib.suppress(OSError):
        while data := client.recv(65_536):
            found.count += requests.awaited(data)
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def _return(client: socket.socket, server: socket.socket, _found: RoundTrips) -> None:
    """Send to the client what the server sends."""
    with contextlib.suppress(OSError):
        while data := server.recv(65_536):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)
