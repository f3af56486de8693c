"""The public address in links and in the document: behind a reverse proxy with a path prefix, and without one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

import app
from app import spec
from tests.support import factories, local_http
from tests.support.browser import browser
from tests.support.nginx import nginx
from tests.support.reference_page import ReferencePage
from tests.support.servers import Server, SqliteStore, free_port, open_database

LISTS = [
    operation for operation in spec.operations(spec.document()) if operation.method == "GET" and not operation.is_public
]
PLAIN = [operation.id for operation in LISTS if "{" not in operation.path]
PREFIX = "/shop"
# The slash at the end of proxy_pass removes the prefix.
PROXY = """
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{ proxy_pass {upstream}/; }}
    }}
"""


@dataclass(frozen=True, kw_only=True)
class ProxiedServer:
    """A server with a demo company, behind nginx."""

    server: Server
    address: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, url: str) -> httpx.Response:
        """Follow a reference in a response, as RFC 3986 defines."""
        return local_http.get(urljoin(self.address + "/api/v1/", url), headers=self.headers, timeout=60)

    def post(self, path: str, content: object, **headers: str) -> httpx.Response:
        url = self.address + "/api/v1" + path
        return local_http.post(url, json=content, headers=self.headers | headers, timeout=60)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedServer]:
    """Run a server that clients reach below /shop only."""
    directory = tmp_path_factory.mktemp("proxied")
    url, port = SqliteStore(directory).create("proxied"), free_port()
    address = f"http://127.0.0.1:{port}{PREFIX}"
    database = open_database(url)
    key = factories.demo_key(database)
    database.dispose()
    server = Server(url, directory / "log", "--no-worker", public_url=address)
    proxy = PROXY.format(port=port, prefix=PREFIX, upstream=server.url)
    with server, nginx(directory, port, proxy):
        yield ProxiedServer(server=server, address=address, key=key)


class TestBelowAPrefix:
    @pytest.mark.parametrize("path", ["products", "customers", "orders"])
    def test_the_link_header_has_the_url_of_the_next_page(self, proxied: ProxiedServer, path: str) -> None:
        first = proxied.get(f"{path}?limit=1")
        second = proxied.get(first.links["next"]["url"])

        assert second.status_code == 200
        assert second.json()["data"][0]["id"] != first.json()["data"][0]["id"]

    def test_the_location_header_has_the_url_of_the_new_resource(self, proxied: ProxiedServer) -> None:
        customer = proxied.post("/customers", {"email": "prefix@example.com"})
        product = next(row for row in proxied.get("products?active=true").json()["data"] if row["stock"])
        order = factories.order_body(customer.json()["data"]["id"], (product["id"], 1))
        webhook = {"url": "https://erp.example.com/hooks", "events": ["order.created"]}

        for response in (customer, proxied.post("/orders", order), proxied.post("/webhooks", webhook)):
            assert response.status_code == 201
            assert response.headers["location"].startswith(f"{PREFIX}/api/v1/")
            assert proxied.get(response.headers["location"]).json()["data"]["id"] == response.json()["data"]["id"]

    def test_a_replayed_response_has_the_current_prefix(self, proxied: ProxiedServer, tmp_path: Path) -> None:
        body, key = {"email": "stored@example.com"}, {"Idempotency-Key": "stored"}
        first = proxied.post("/customers", body, **key)
        with Server(proxied.server.database_url, tmp_path / "log", "--no-worker") as bare:
            second = local_http.post(
                bare.url + "/api/v1/customers", json=body, headers=proxied.headers | key, timeout=60
            )

        assert second.headers["idempotency-replayed"] == "true"
        assert PREFIX + second.headers["location"] == first.headers["location"]

    def test_the_document_has_the_public_address(self, proxied: ProxiedServer) -> None:
        (server,) = proxied.get("openapi.json").json()["servers"]

        assert server["url"] == proxied.address + "/api/v1"
        assert proxied.get(server["url"] + "/products").status_code == 200

    def test_every_url_in_the_index_exists(self, proxied: ProxiedServer) -> None:
        index = proxied.get("./").json()["data"]

        assert index["version"] == app.__version__
        assert [resource["name"] for resource in index["resources"]][:2] == ["api-keys", "audit-log"]
        urls = [index["reference"], index["document"], *(resource["url"] for resource in index["resources"])]
        assert all(url.startswith(proxied.address + "/") for url in urls)
        assert {proxied.get(url).status_code for url in urls} == {200}

    @pytest.mark.parametrize(("start", "end"), [("/", "/docs"), ("/api/v1", "/api/v1/")])
    def test_short_urls_redirect(self, proxied: ProxiedServer, start: str, end: str) -> None:
        response = local_http.get(proxied.address + start, follow_redirects=True, timeout=60)

        assert response.status_code == 200
        assert urlsplit(str(response.url)).path == PREFIX + end

    def test_the_first_log_line_has_the_public_address(self, proxied: ProxiedServer) -> None:
        first = proxied.server.log.read_text().splitlines()[0]

        assert f"Distribu {app.__version__} listens on {proxied.server.url}" in first
        assert f"{proxied.address}/api/v1/" in first
        assert f"{proxied.address}/docs" in first

    def test_the_reference_page_can_call_every_list_and_report(self, proxied: ProxiedServer, tmp_path: Path) -> None:
        with browser(tmp_path) as chromium:
            page = ReferencePage(chromium, proxied.address, proxied.key)
            assert {name: page.try_out(name).status for name in PLAIN} == dict.fromkeys(PLAIN, 200)


class TestWithoutASetting:
    @pytest.mark.parametrize(
        ("host", "names"), [("0.0.0.0", ["127.0.0.1", "127.0.0.2"]), ("::", ["127.0.0.1", "[::1]"])]
    )
    def test_the_document_has_the_address_of_the_connection_and_never_that_of_the_host_header(
        self, host: str, names: list[str], tmp_path: Path
    ) -> None:
        url = SqliteStore(tmp_path).create("reached")
        with Server(url, tmp_path / "log", "--no-worker", host=host) as server:
            for address in (f"http://{name}:{server.port}" for name in names):
                given = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
                response = local_http.get(address + "/api/v1/openapi.json", headers=given, timeout=60)
                assert response.json()["servers"][0]["url"] == address + "/api/v1"
