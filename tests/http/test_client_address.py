"""The address of a client: the rules for `X-Forwarded-For`, then real requests through nginx on both databases."""

import json
import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from app.http.client_address import MAX_PROXIES, ClientAddresses
from app.networks import parse_networks
from models import AuditEntry
from tests.support import factories, local_http, waiting
from tests.support.client import Client
from tests.support.factories import Tenant
from tests.support.nginx import nginx
from tests.support.servers import PostgresqlStore, Server, SqliteStore, free_port, open_database

TRUSTED = parse_networks("10.0.0.0/8, 192.0.2.7, 2001:db8:1::/48")
PROXY = "10.0.0.1"
# Three proxies in one: the first replaces what the client sends, the second appends to it, and requests to the third
# pass through two proxies. nginx uses HTTP/1.0 for the first.
PROXIES = """
    server {{
        listen 127.0.0.1:{port};
        location /replace/ {{
            proxy_http_version 1.0;
            proxy_pass {upstream}/;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
        location /append/ {{
            proxy_pass {upstream}/;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
        location /twice/ {{
            proxy_pass http://127.0.0.1:{port}/append/;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
"""
INSIDE, OUTSIDE, NGINX = "127.0.0.2", "127.0.0.3", "127.0.0.1"


def find(peer: str | None, *lines: str | bytes, trusted: bool = True) -> str | None:
    """Return the address of a request from `peer` with these `X-Forwarded-For` lines."""
    values = [line if isinstance(line, bytes) else line.encode() for line in lines]
    headers = [(b"x-forwarded-for", value) for value in values]
    scope = {
        "client": None if peer is None else (peer, 5000),
        "headers": [(b"host", b"shop.example"), *headers, (b"forwarded", b"for=8.8.8.8"), (b"x-real-ip", b"8.8.8.8")],
    }
    return ClientAddresses(TRUSTED if trusted else ()).find(scope)


class TestConnections:
    """Requests that do not come from a trusted proxy."""

    @pytest.mark.parametrize(
        ("peer", "expected"),
        [
            ("192.0.2.8", "192.0.2.8"),
            ("11.0.0.0", "11.0.0.0"),
            ("9.255.255.255", "9.255.255.255"),
            ("::ffff:192.0.2.8", "192.0.2.8"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("/run/distribu.sock", None),
            ("", None),
            (None, None),
        ],
    )
    def test_the_address_is_that_of_the_connection(self, peer: str | None, expected: str | None) -> None:
        for lines in ((), ("8.8.8.8",), ("8.8.8.8, 10.0.0.2", "10.0.0.1")):
            assert find(peer, *lines) == expected
            assert find(peer, *lines, trusted=False) == expected

    def test_without_the_setting_no_proxy_is_trusted(self) -> None:
        assert find(PROXY, "8.8.8.8", trusted=False) == PROXY


class TestForwardedFor:
    """Requests that come from a trusted proxy."""

    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            # The last address that is not a trusted proxy.
            (["8.8.8.8"], "8.8.8.8"),
            (["8.8.8.8, 9.9.9.9"], "9.9.9.9"),
            (["8.8.8.8, 9.9.9.9, 10.0.0.2"], "9.9.9.9"),
            (["8.8.8.8, 9.9.9.9, 10.0.0.2, 192.0.2.7, 2001:db8:1::5"], "9.9.9.9"),
            (["8.8.8.8, 192.0.2.8"], "192.0.2.8"),
            # Several lines are one list.
            (["8.8.8.8", "9.9.9.9"], "9.9.9.9"),
            (["8.8.8.8, 9.9.9.9", "10.0.0.2", "10.0.0.3"], "9.9.9.9"),
            (["10.0.0.2", "8.8.8.8"], "8.8.8.8"),
            # Every address is a proxy: the first one.
            (["10.0.0.2"], "10.0.0.2"),
            (["10.0.0.4, 10.0.0.3", "10.0.0.2"], "10.0.0.4"),
            # No address: that of the connection.
            ([], PROXY),
            ([""], PROXY),
            ([" , ,", ","], PROXY),
            # Spaces and empty members.
            (["8.8.8.8,9.9.9.9"], "9.9.9.9"),
            (["  8.8.8.8 \t,\t 9.9.9.9  "], "9.9.9.9"),
            (["8.8.8.8,,", " , ", ""], "8.8.8.8"),
            # Ports, brackets, other forms of an address.
            (["8.8.8.8:5678"], "8.8.8.8"),
            (["8.8.8.8, 10.0.0.2:443"], "8.8.8.8"),
            (["[2001:db8::1]:80"], "2001:db8::1"),
            (["[2001:db8::1]"], "2001:db8::1"),
            (["2001:DB8:0::0:1"], "2001:db8::1"),
            (["2001:db8::1:80"], "2001:db8::1:80"),
            (["::ffff:8.8.8.8"], "8.8.8.8"),
            (["8.8.8.8, ::ffff:10.0.0.2"], "8.8.8.8"),
            (["[::ffff:8.8.8.8]:80"], "8.8.8.8"),
            (["fe80::1%eth0"], "fe80::1"),
            ([b"fe80::1%\xff"], "fe80::1"),
        ],
    )
    def test_the_client_is_found(self, lines: list[str], expected: str) -> None:
        assert find(PROXY, *lines) == expected
        assert find(f"::ffff:{PROXY}", *lines) == expected

    @pytest.mark.parametrize(
        "member",
        [
            *(
                "unknown",
                "_hidden",
                "unix:",
                "shop.example",
                "localhost",
                "8.8.8",
                "8.8.8.8.8",
                "8.8.8.256",
                "08.8.8.8",
            ),
            *("8.8.8.8:", "8.8.8.8:http", "8.8.8.8:123456", "8.8.8.8 9.9.9.9", "8.8.8.8;9.9.9.9", "8.8.8.8/32", "8888"),
            *("[2001:db8::1", "2001:db8::1]", "[]", "[]:80", "[[::1]]", "[2001:db8::1]80", "1:2", ":::", '"8.8.8.8"'),
            *("for=8.8.8.8", "%", "::%", "-", b"8.8.8.8\xff", b"\xd9\xa8.8.8.8", b"8.8.8.8\x85", "8" * 60_000),
        ],
    )
    def test_an_unreadable_member_is_an_unknown_client(self, member: str | bytes) -> None:
        text = member if isinstance(member, bytes) else member.encode()

        assert find(PROXY, text) is None
        assert find(PROXY, b"8.8.8.8, " + text + b", 10.0.0.2") is None
        assert find(PROXY, b"8.8.8.8", text, b"10.0.0.2") is None
        assert find(PROXY, text + b", 8.8.8.8, 10.0.0.2") == "8.8.8.8"

    def test_thousands_of_members_in_front_of_the_client_are_not_read(self) -> None:
        assert find(PROXY, "1.1.1.1," * 10_000 + "8.8.8.8") == "8.8.8.8"
        assert find(PROXY, "," * 60_000 + "8.8.8.8" + "," * 5_000) == "8.8.8.8"
        assert find(PROXY, "10.0.0.2," * 10_000) == "10.0.0.2"

    def test_a_limited_number_of_proxies_is_read(self) -> None:
        proxies = ["10.0.0.2"] * (MAX_PROXIES - 1)

        assert find(PROXY, ",".join(["8.8.8.8", *proxies])) == "8.8.8.8"
        assert find(PROXY, ",".join(["8.8.8.8", "10.0.0.3", *proxies])) == "10.0.0.3"


def audited_address(database: Database, response: httpx.Response) -> str | None:
    """Return the address in the audit entry of the customer that a request created."""
    assert response.status_code == 201, response.text
    with database.transaction() as session:
        entry = session.query(AuditEntry).filter_by(entity_id=response.json()["data"]["id"]).one()
    assert entry.action == "customer.created"
    return entry.address


def _headers(key: str, forwarded: Sequence[str]) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {key}"), *(("X-Forwarded-For", line) for line in forwarded)]


@dataclass(frozen=True, kw_only=True)
class ProxiedCompany:
    """A server with two processes behind nginx, which is its only trusted proxy, and a company."""

    server: Server
    tenant: Tenant
    database: Database
    nginx_url: str

    def key(self, *allowed_networks: str) -> tuple[str, str]:
        """Create a key; return its id and its plaintext."""
        return factories.api_key(self.database, self.tenant.company_id, allowed_networks=list(allowed_networks))

    def get(self, key: str, client: str, through: str | None = None, forwarded: Sequence[str] = ()) -> httpx.Response:
        """Send a request from the address `client`, through a location of nginx or directly."""
        with self._connection(client) as http:
            return http.get(self._url(through) + "/products", headers=_headers(key, forwarded))

    def post(
        self, client: str, through: str | None = None, forwarded: Sequence[str] = ()
    ) -> tuple[httpx.Response, str | None]:
        """Create a customer in the same way; return the response, and the address in the audit log."""
        content = {"email": f"{uuid.uuid4().hex}@example.com"}
        with self._connection(client) as http:
            headers = _headers(self.tenant.key, forwarded)
            response = http.post(self._url(through) + "/customers", json=content, headers=headers)
        return response, audited_address(self.database, response)

    def _url(self, through: str | None) -> str:
        return (self.server.url if through is None else f"{self.nginx_url}/{through}") + "/api/v1"

    @staticmethod
    def _connection(client: str) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=client, verify=local_http.NO_CERTIFICATES)
        return httpx.Client(transport=transport, timeout=waiting.SECONDS)

    def logged(self, response: httpx.Response) -> dict[str, Any]:
        """Return the line of a request in the access log."""
        request_id = response.headers["x-request-id"]

        def lines() -> list[str]:
            return [line for line in self.server.log.read_text().splitlines() if request_id in line]

        line: dict[str, Any] = json.loads(waiting.eventually(lines, "the request is logged")[0])
        return line


@pytest.fixture(scope="module")
def proxied(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedCompany]:
    """Listen on `::`, so that the server sees IPv4 addresses as IPv4-mapped IPv6 addresses."""
    directory = tmp_path_factory.mktemp("proxied")
    url, port = store.create(f"proxied_{uuid.uuid4().hex[:8]}"), free_port()
    server = Server(url, directory / "log", "--no-worker", host="::", workers="2", trusted_proxies=f"{NGINX}/32")
    database = open_database(url)
    with server, nginx(directory, port, PROXIES.format(port=port, upstream=server.url)):
        server.until_processes_serve(2)
        tenant = factories.tenant(database)
        yield ProxiedCompany(server=server, tenant=tenant, database=database, nginx_url=f"http://127.0.0.1:{port}")
    database.dispose()


@pytest.mark.parametrize("through", [None, "replace", "append", "twice"])
class TestBehindNginx:
    def test_a_key_can_be_used_inside_of_its_networks_only(self, proxied: ProxiedCompany, through: str | None) -> None:
        _, key = proxied.key("127.0.0.2/32", "2001:db8::/32")

        inside = [proxied.get(key, INSIDE, through).status_code for _ in range(8)]
        outside = [proxied.get(key, OUTSIDE, through).status_code for _ in range(8)]

        assert (set(inside), set(outside)) == ({200}, {401})  # by both processes

    @pytest.mark.parametrize("forwarded", [[INSIDE], [f"{INSIDE}, {NGINX}"], [INSIDE, NGINX], [f"[{INSIDE}]"], [""]])
    def test_a_header_of_the_client_changes_nothing(
        self, proxied: ProxiedCompany, through: str | None, forwarded: list[str]
    ) -> None:
        _, key = proxied.key("127.0.0.2/32")

        assert proxied.get(key, OUTSIDE, through, forwarded).status_code == 401
        assert proxied.get(key, INSIDE, through, ["8.8.8.8"]).status_code == 200
        assert proxied.get(proxied.tenant.key, OUTSIDE, through, forwarded).status_code == 200

    def test_the_address_is_in_the_audit_log_and_in_the_access_log(
        self, proxied: ProxiedCompany, through: str | None
    ) -> None:
        response, address = proxied.post(INSIDE, through, ["8.8.8.8"])

        assert address == INSIDE
        assert proxied.logged(response)["client"] == INSIDE

    def test_the_access_log_has_the_key_that_was_refused(self, proxied: ProxiedCompany, through: str | None) -> None:
        key_id, key = proxied.key("10.0.0.0/8")

        line = proxied.logged(proxied.get(key, INSIDE, through))

        assert (line["status"], line["key"], line["client"]) == (401, key_id, INSIDE)


class TestTheProxyItself:
    """Requests of a program on the proxy's machine, which may write the header as the proxy does."""

    @pytest.mark.parametrize(
        ("forwarded", "client"), [([], NGINX), ([INSIDE], INSIDE), (["8.8.8.8", "127.0.0.2:80"], INSIDE), (["-"], None)]
    )
    def test_it_names_the_client(self, proxied: ProxiedCompany, forwarded: list[str], client: str | None) -> None:
        _, key = proxied.key("127.0.0.2/32")
        response = proxied.get(key, NGINX, forwarded=forwarded)

        assert response.status_code == (200 if client == INSIDE else 401)
        assert proxied.logged(response)["client"] == client

    def test_a_change_by_an_unknown_client_has_no_address(self, proxied: ProxiedCompany) -> None:
        _, address = proxied.post(NGINX, forwarded=["unknown"])

        assert address is None

    def test_a_request_that_cannot_be_parsed_is_logged_with_its_connection(self, proxied: ProxiedCompany) -> None:
        request = b"GET / HTTP/1.1\r\nX-Request-Id: unparsable\r\nX-Forwarded-For: 8.8.8.8\r\nno header\r\n\r\n"
        with socket.create_connection(("127.0.0.1", proxied.server.port), timeout=waiting.SECONDS) as connection:
            connection.sendall(request)
            head = connection.makefile("rb").readline()

        assert head.startswith(b"HTTP/1.1 400")
        assert proxied.logged(httpx.Response(400, headers={"x-request-id": "unparsable"}))["client"] == NGINX


class TestWithoutTrustedProxies:
    """The shared server, which trusts no proxy."""

    def test_the_header_is_ignored(self, client: Client, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, allowed_networks=["8.8.8.8/32"])
        headers = {"X-Forwarded-For": "8.8.8.8", "Forwarded": "for=8.8.8.8", "X-Real-IP": "8.8.8.8"}

        created = client.post("/customers", json={"email": "proxied@example.com"}, headers=headers)
        refused = client.get("/products", headers={**headers, "Authorization": f"Bearer {key}"})

        assert refused.status_code == 401
        assert audited_address(database, created) == "127.0.0.1"

    def test_no_setting_of_uvicorn_trusts_a_proxy(self, tmp_path: Path) -> None:
        server = Server(SqliteStore(tmp_path).create("plain"), tmp_path / "log", "--no-worker")
        server.environment["FORWARDED_ALLOW_IPS"] = "*"
        with server:
            local_http.get(server.url + "/healthz", headers={"X-Forwarded-For": "8.8.8.8", "X-Request-Id": "spoofed"})

        (line,) = [line for line in server.log.read_text().splitlines() if "spoofed" in line]
        assert json.loads(line)["client"] == "127.0.0.1"


class TestTrustInEveryAddress:
    def test_the_client_chooses_its_address_and_the_log_warns_of_it(self, tmp_path: Path) -> None:
        url = SqliteStore(tmp_path).create("open")
        with Server(url, tmp_path / "log", "--no-worker", trusted_proxies="0.0.0.0/0,::/0") as server:
            for request_id, forwarded in (("all", "9.9.9.9, 8.8.8.8"), ("ipv6", "2001:db8::1")):
                headers = {"X-Forwarded-For": forwarded, "X-Request-Id": request_id}
                local_http.get(server.url + "/healthz", headers=headers)

        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        clients = {line["request_id"]: line["client"] for line in lines if line["message"] == "request"}
        assert (clients["all"], clients["ipv6"]) == ("9.9.9.9", "2001:db8::1")
        (warning,) = [line["message"] for line in lines if line["level"] == "WARNING"]
        assert warning.startswith("DISTRIBU_TRUSTED_PROXIES contains every address, so clients can choose the address")
