"""A server that serves the probe document, and a raw connection to it."""

import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support import factories, local_http, waiting
from tests.support.factories import Tenant
from tests.support.servers import Server, SqliteStore, open_database

Send = Callable[[bytes], bytes]


class ProbeServer(Server):
    command = (sys.executable, "-m", "tests.support.probe")


@dataclass(frozen=True)
class Probe:
    server: Server
    tenant: Tenant
    http: httpx.Client

    def post(
        self, content: bytes | str, content_type: str | None = "application/json", **headers: str
    ) -> httpx.Response:
        given = headers if content_type is None else {"Content-Type": content_type, **headers}
        return self.http.post("/echo", content=content, headers=given)

    def raw(self, *lines: str, body: bytes = b"", authorized: bool = True, host: bool = True) -> bytes:
        """Send a request as it is; return the whole response."""
        standard = [f"Authorization: Bearer {self.tenant.key}"] * authorized + ["Host: localhost"] * host
        request = "\r\n".join([lines[0], *standard, *lines[1:], "Connection: close", "", ""]).encode("latin-1") + body
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=waiting.SECONDS) as connection:
            connection.sendall(request)
            response = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    response += part
        return bytes(response)


class Connection:
    """A raw connection, and a reader of its responses."""

    def __init__(self, probe: Probe) -> None:
        self.socket = socket.create_connection(("127.0.0.1", probe.server.port), timeout=60)
        self._responses = self.socket.makefile("rb")

    def send(self, *parts: bytes, pause: float = 0.02) -> None:
        """Send each part in a separate segment."""
        for part in parts:
            self.socket.sendall(part)
            time.sleep(pause)

    def response(self) -> tuple[int, Any]:
        """Return the status and the JSON of the next response."""
        status, _, content = self.full_response()
        return status, content

    def full_response(self) -> tuple[int, dict[str, str], Any]:
        """Return the status, the headers and the JSON of the next response."""
        status = int(self._responses.readline().split()[1])
        lines = [line.decode().strip() for line in iter(self._responses.readline, b"\r\n")]
        headers = dict(line.split(": ", 1) for line in lines)
        return status, headers, json.loads(self._responses.read(int(headers["content-length"])))

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        return self._responses.read(size)

    def rest(self) -> bytes:
        """Return everything until the server closes."""
        return self._responses.read()

    def is_silent(self) -> bool:
        """Return whether the server closes without another response."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.rest() == b""

    def close(self) -> None:
        self._responses.close()
        self.socket.close()


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """Serve tests/support/probe/openapi.yaml with the real edge, on SQLite."""
    directory = tmp_path_factory.mktemp("probe")
    url = SqliteStore(directory).create("probe")
    database = open_database(url)
    tenant = factories.tenant(database)
    database.dispose()
    with ProbeServer(url, directory / "log") as server:
        headers = {"Authorization": f"Bearer {tenant.key}"}
        with local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=waiting.SECONDS) as http:
            yield Probe(server, tenant, http)


@pytest.fixture
def connection(probe: Probe) -> Iterator[Connection]:
    with contextlib.closing(Connection(probe)) as connection:
        yield connection
