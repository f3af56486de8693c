"""Where clients find the server: behind a reverse proxy below a path prefix, and without one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

import app
from app import spec
from tests.support import factories
from tests.support.browser import browser
from tests.support.nginx import nginx
from tests.support.servers import Server, SqliteStore, free_port, open_database

LISTS = [each for each in spec.operations(spec.document()) if each.method == "GET" and not each.is_public]
PLAIN = [each.id for each in LISTS if "{" not in each.path]
PREFIX = "/shop"
# The slash at the end of proxy_pass takes the prefix away.
PROXY = """
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{ proxy_pass {upstream}/; }}
    }}
"""
TRY_OUT = r"""
const [key, operations] = arguments;
const seen = async (find) => {
  for (;;) { const found = find(); if (found) return found; await new Promise((after) => setTimeout(after, 50)); }
};
const type = (input, text) => {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
  input.dispatchEvent(new Event("input", {bubbles: true}));
};
(await seen(() => document.querySelector(".btn.authorize"))).click();
type(await seen(() => document.querySelector(".auth-container input")), key);
document.querySelector(".auth-container .authorize").click();
(await seen(() => document.querySelector(".btn-done"))).click();
const statuses = {};
for (const id of operations) {
  const block = await seen(() => document.querySelector(`[id$="-${id}"].opblock`));
  block.querySelector(".opblock-summary-control").click();
  (await seen(() => block.querySelector(".try-out__btn"))).click();
  (await seen(() => block.querySelector(".execute"))).click();
  const answer = await seen(() => block.querySelector(".live-responses-table tbody .response-col_status"));
  statuses[id] = answer.textContent.trim();
}
return statuses;
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server with a demo company, behind nginx."""

    server: Server
    address: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, url: str) -> httpx.Response:
        """Follow what an answer gives, as RFC 3986 says."""
        return httpx.get(urljoin(self.address + "/api/v1/", url), headers=self.headers, timeout=60)

    def post(self, path: str, content: object, **headers: str) -> httpx.Response:
        url = self.address + "/api/v1" + path
        return httpx.post(url, json=content, headers=self.headers | headers, timeout=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a server that is reached below /shop only."""
    directory = tmp_path_factory.mktemp("site")
    url, port = SqliteStore(directory).create("site"), free_port()
    address = f"http://127.0.0.1:{port}{PREFIX}"
    database = open_database(url)
    key = factories.demo_key(database)
    database.dispose()
    server = Server(url, directory / "log", "--no-worker", public_url=address)
    proxy = PROXY.format(port=port, prefix=PREFIX, upstream=server.url)
    with server, nginx(directory, port, proxy):
        yield Site(server=server, address=address, key=key)


class TestBelowAPrefix:
    @pytest.mark.parametrize("path", ["products", "customers", "orders"])
    def test_link_leads_to_the_next_page(self, site: Site, path: str) -> None:
        first = site.get(f"{path}?limit=1")
        second = site.get(first.links["next"]["url"])

        assert second.status_code == 200
        assert second.json()["data"][0]["id"] != first.json()["data"][0]["id"]

    def test_location_leads_to_what_was_made(self, site: Site) -> None:
        customer = site.post("/customers", {"email": "prefix@example.com"})
        product = next(each for each in site.get("products?active=true").json()["data"] if each["stock"])
        order = factories.order_body(customer.json()["data"]["id"], (product["id"], 1))
        webhook = {"url": "https://erp.example.com/hooks", "events": ["order.created"]}

        for made in (customer, site.post("/orders", order), site.post("/webhooks", webhook)):
            assert made.status_code == 201
            assert made.headers["location"].startswith(f"{PREFIX}/api/v1/")
            assert site.get(made.headers["location"]).json()["data"]["id"] == made.json()["data"]["id"]

    def test_a_stored_answer_is_repeated_with_the_prefix_of_now(self, site: Site, tmp_path: Path) -> None:
        body, key = {"email": "stored@example.com"}, {"Idempotency-Key": "stored"}
        first = site.post("/customers", body, **key)
        with Server(site.server.database_url, tmp_path / "log", "--no-worker") as bare:
            second = httpx.post(bare.url + "/api/v1/customers", json=body, headers=site.headers | key, timeout=60)

        assert second.headers["idempotency-replayed"] == "true"
        assert PREFIX + second.headers["location"] == first.headers["location"]

    def test_the_document_says_where_the_server_is(self, site: Site) -> None:
        (server,) = site.get("openapi.json").json()["servers"]

        assert server["url"] == site.address + "/api/v1"
        assert site.get(server["url"] + "/products").status_code == 200

    def test_everything_in_the_index_is_there(self, site: Site) -> None:
        index = site.get("./").json()["data"]

        assert index["version"] == app.__version__
        assert [each["name"] for each in index["resources"]][:2] == ["customers", "events"]
        urls = [index["reference"], index["document"], *(each["url"] for each in index["resources"])]
        assert all(each.startswith(site.address + "/") for each in urls)
        assert {site.get(each).status_code for each in urls} == {200}

    @pytest.mark.parametrize(("start", "end"), [("/", "/docs"), ("/api/v1", "/api/v1/")])
    def test_what_people_type_leads_on(self, site: Site, start: str, end: str) -> None:
        response = httpx.get(site.address + start, follow_redirects=True, timeout=60)

        assert response.status_code == 200
        assert urlsplit(str(response.url)).path == PREFIX + end

    def test_the_start_says_where_the_server_is(self, site: Site) -> None:
        first = site.server.log.read_text().splitlines()[0]

        assert f"Distribu {app.__version__} listens on {site.server.url}" in first
        assert f"{site.address}/api/v1/" in first
        assert f"{site.address}/docs" in first

    def test_a_browser_tries_every_list_and_report(self, site: Site, tmp_path: Path) -> None:
        with browser(tmp_path) as chromium:
            chromium.open(site.address + "/docs")
            assert chromium.run(TRY_OUT, site.key, PLAIN) == dict.fromkeys(PLAIN, "200")


class TestWithoutASetting:
    @pytest.mark.parametrize(
        ("host", "names"), [("0.0.0.0", ["127.0.0.1", "127.0.0.2"]), ("::", ["127.0.0.1", "[::1]"])]
    )
    def test_the_document_names_the_socket_that_was_reached_and_never_the_host_header(
        self, host: str, names: list[str], tmp_path: Path
    ) -> None:
        url = SqliteStore(tmp_path).create("reached")
        with Server(url, tmp_path / "log", "--no-worker", host=host) as server:
            for address in (f"http://{each}:{server.port}" for each in names):
                given = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
                response = httpx.get(address + "/api/v1/openapi.json", headers=given, timeout=60)
                assert response.json()["servers"][0]["url"] == address + "/api/v1"
