"""A request that asks for another protocol is an ordinary request: its body is never a second request.

RFC 9110, section 7.8: a server may ignore `Upgrade`. RFC 9112, section 6.3: where the body ends.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.db import Database
from tests.http.conftest import Connection, Probe
from tests.support import factories, local_http
from tests.support.nginx import nginx
from tests.support.servers import Server, free_port

BODY = json.dumps({"customerId": "c1", "items": [{"productId": "p1", "quantity": 2}]}).encode()
CHUNKED = b"5\r\n" + BODY[:5] + b"\r\n%x\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n"
SECOND = b"GET /api/v1/echo?need=second HTTP/1.1\r\nHost: x\r\n\r\n"

UPGRADES = [
    ("Connection: Upgrade", "Upgrade: foo"),
    ("Connection: upgrade, keep-alive", "Upgrade: foo/2, bar"),
    ("Connection: keep-alive", "Connection: Upgrade", "Upgrade: foo", "Upgrade: bar"),
    ("Upgrade: foo", "Connection: keep-alive,upgrade"),
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA"),
    (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==",
    ),
    ("Connection: Upgrade", "Upgrade: TLS/1.0"),
]


def head(line: str, probe: Probe, *lines: str) -> bytes:
    standard = ("Host: localhost", f"Authorization: Bearer {probe.tenant.key}", "Content-Type: application/json")
    return "\r\n".join([line, *standard, *lines, "", ""]).encode()


class TestOrdinaryRequests:
    @pytest.mark.parametrize("upgrade", UPGRADES)
    @pytest.mark.parametrize("body", [BODY, CHUNKED], ids=["length", "chunked"])
    @pytest.mark.parametrize("cut", ["whole", "after the head", "everywhere"])
    def test_the_body_belongs_to_the_request(
        self, probe: Probe, connection: Connection, upgrade: tuple[str, ...], body: bytes, cut: str
    ) -> None:
        length = f"Content-Length: {len(body)}" if body is BODY else "Transfer-Encoding: chunked"
        request = head("POST /api/v1/echo HTTP/1.1", probe, *upgrade, length) + body
        at = len(request) - len(body)
        cuts = {"whole": [], "after the head": [at], "everywhere": [3, 60, at - 2, at - 1, at, at + 1, at + 9]}[cut]

        connection.send(*(request[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)))

        assert connection.response() == (200, {"body": json.loads(BODY), "headers": {}})
        assert connection.is_silent()

    @pytest.mark.parametrize("upgrade", UPGRADES)
    def test_a_request_in_a_body_is_not_a_request(
        self, probe: Probe, connection: Connection, upgrade: tuple[str, ...]
    ) -> None:
        inner = head("GET /api/v1/echo?need=inner HTTP/1.1", probe)

        connection.send(head("POST /api/v1/echo HTTP/1.1", probe, *upgrade, f"Content-Length: {len(inner)}"), inner)

        assert connection.response() == (400, {"error": "Invalid JSON body.", "code": "invalid_json"})
        assert connection.is_silent()

    @pytest.mark.parametrize("upgrade", UPGRADES)
    @pytest.mark.parametrize("pause", [0, 0.02])
    def test_pipelined_requests_get_responses_in_order(
        self, probe: Probe, connection: Connection, upgrade: tuple[str, ...], pause: float
    ) -> None:
        length = f"Content-Length: {len(BODY)}"
        requests = [
            head("GET /api/v1/echo?need=1 HTTP/1.1", probe),
            head("POST /api/v1/echo HTTP/1.1", probe, *upgrade, length) + BODY,
            head("GET /api/v1/echo?need=2 HTTP/1.1", probe, *upgrade),
            head("GET /api/v1/echo?need=3 HTTP/1.1", probe, *upgrade),
            head("POST /api/v1/echo HTTP/1.1", probe, *upgrade, "Transfer-Encoding: chunked") + CHUNKED,
            head("GET /api/v1/echo?need=4 HTTP/1.1", probe),
        ]
        echo = {"body": json.loads(BODY), "headers": {}}

        connection.send(*(requests if pause else [b"".join(requests)]), pause=pause)

        responses = [connection.response() for _ in requests]
        assert [status for status, _ in responses] == [200] * 6
        assert [body for _, body in responses] == [
            {"need": "1"}, echo, {"need": "2"}, {"need": "3"}, echo, {"need": "4"}
        ]  # fmt: skip
        assert connection.is_silent()

    @pytest.mark.parametrize(("version", "tokens"), [("1.1", "close, upgrade"), ("1.0", "upgrade")])
    def test_a_connection_is_closed_on_request(
        self, probe: Probe, connection: Connection, version: str, tokens: str
    ) -> None:
        line = f"GET /api/v1/echo?need=x HTTP/{version}"
        connection.send(head(line, probe, f"Connection: {tokens}", "Upgrade: foo") + SECOND)

        assert connection.response() == (200, {"need": "x"})
        assert connection.rest() == b""

    def test_headers_are_unchanged(self, probe: Probe, connection: Connection) -> None:
        lines = ("X-Number:   7", "X-Request-Id: mine", "Connection: upgrade", "Upgrade: foo")
        connection.send(head("POST /api/v1/echo HTTP/1.1", probe, *lines, f"Content-Length: {len(BODY)}") + BODY)

        assert connection.response() == (200, {"body": json.loads(BODY), "headers": {"x_number": 7}})

    def test_100_continue_is_sent_once(self, probe: Probe, connection: Connection) -> None:
        lines = ("Connection: upgrade", "Upgrade: h2c", "Expect: 100-continue", f"Content-Length: {len(BODY)}")
        connection.send(head("POST /api/v1/echo HTTP/1.1", probe, *lines))
        assert connection.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"

        connection.send(BODY)

        assert connection.response()[0] == 200
        assert connection.is_silent()

    @pytest.mark.parametrize("lines", [("Content-Length: 5", "Transfer-Encoding: chunked"), ("Content-Length: +5",)])
    def test_an_ambiguous_length_is_refused(self, probe: Probe, connection: Connection, lines: tuple[str, ...]) -> None:
        request = head("POST /api/v1/echo HTTP/1.1", probe, "Connection: upgrade", "Upgrade: foo", *lines)
        connection.send(request, b"0\r\n\r\n" + SECOND)

        response = connection.rest()
        assert response.startswith(b"HTTP/1.1 400 ")
        assert response.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("target", ["example.com:80", "/api/v1/echo"])
@pytest.mark.parametrize("lines", [(), ("Content-Length: 50",), ("Connection: upgrade", "Upgrade: foo")])
def test_connect_opens_no_tunnel(probe: Probe, connection: Connection, target: str, lines: tuple[str, ...]) -> None:
    connection.send(head(f"CONNECT {target} HTTP/1.1", probe, *lines), SECOND)

    response = connection.rest()
    assert response.startswith(b"HTTP/1.1 400 ")
    assert response.count(b"HTTP/1.1 ") == 1


WEBSOCKET_RECIPE = """
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream distribu {{ server 127.0.0.1:{server}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://distribu;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_request_buffering off;
        }}
    }}
"""
ROUNDS = 200


@pytest.fixture
def proxy(server: Server, tmp_path: Path) -> Iterator[int]:
    """Run nginx in front of the server as its users set it up for WebSocket; yield its port."""
    port = free_port()
    with nginx(tmp_path, port, WEBSOCKET_RECIPE.format(server=server.port, port=port)):
        yield port


def test_behind_nginx_no_company_reads_rows_of_another_one(server: Server, database: Database, proxy: int) -> None:
    mine, theirs = factories.tenant(database), factories.tenant(database)
    own = factories.customer(database, mine.company_id, name="Mine")
    factories.customer(database, theirs.company_id, name="Theirs")
    seen: list[tuple[int, list[str]]] = []
    over = threading.Event()

    def look() -> None:
        headers = {"Authorization": f"Bearer {mine.key}"}
        with local_http.client(base_url=f"http://127.0.0.1:{proxy}/api/v1", headers=headers, timeout=60) as http:
            while not over.is_set():
                response = http.get("/customers")
                seen.append((response.status_code, [row["id"] for row in response.json()["data"]]))

    inner = f"GET /api/v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {theirs.key}\r\n\r\n".encode()
    head = (
        f"POST /api/v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {theirs.key}\r\n"
        "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: foo\r\n"
        f"Content-Length: {len(inner)}\r\n\r\n"
    ).encode()
    with ThreadPoolExecutor(2) as threads:
        looking = [threads.submit(look) for _ in range(2)]
        try:
            statuses = [refused(proxy, head, inner, pause=number % 5 / 1000) for number in range(ROUNDS)]
        finally:
            over.set()
        for reader in looking:
            reader.result()
    assert seen == [(200, [own])] * len(seen)
    assert statuses == [b"400"] * ROUNDS


def refused(port: int, head: bytes, body: bytes, *, pause: float) -> bytes:
    """Send head and body in separate segments; return the status."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head)
        time.sleep(pause)
        connection.sendall(body)
        return connection.recv(65536)[9:12]


def test_behind_nginx_an_upgrade_is_ignored(database: Database, proxy: int) -> None:
    """Java's HttpClient sends these headers with every request over http."""
    tenant = factories.tenant(database)
    headers = {
        "Authorization": f"Bearer {tenant.key}",
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA",
    }
    with local_http.client(base_url=f"http://127.0.0.1:{proxy}/api/v1", headers=headers, timeout=60) as http:
        made = [
            http.post("/customers", json={"name": f"Customer {number}", "email": f"c{number}@example.com"})
            for number in range(5)
        ]
        names = [row["name"] for row in http.get("/customers").json()["data"]]

    assert [response.status_code for response in made] == [201] * 5
    assert names == [f"Customer {number}" for number in reversed(range(5))]
