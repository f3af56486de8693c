"""A server that serves the probe document, and a raw connection to it."""

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support import factories
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
        """Send a request as it stands; return the whole answer."""
        standard = [f"Authorization: Bearer {self.tenant.key}"] * authorized + ["Host: localhost"] * host
        request = "\r\n".join([lines[0], *standard, *lines[1:], "Connection: close", "", ""]).encode("latin-1") + body
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall(request)
            answer = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
        return bytes(answer)


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
        with httpx.Client(base_url=server.url + "/api/v1", headers=headers, timeout=30) as http:
            yield Probe(server, tenant, http)
