"""The servers under load: a base URL, a key, and the requests of each scenario, with ids that the server itself lists.

A server has these paths, below its base URL: `GET /api/v1/products` and `GET /api/v1/orders` with `limit` and `cursor`,
`GET /api/v1/products/{id}` and `POST /api/v1/orders`. docs/performance.md describes them.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks import measure
from benchmarks.wrk import Request

SEED = 20261126
PAGE, PAGES = 100, 20  # what is read to find ids: 2,000 products, and the customers of as many orders
VARIANTS = 2_000  # different requests of a scenario, in turn
MAX_QUANTITY = 5


@dataclass(frozen=True, kw_only=True)
class Api:
    """A running server. `pid` is its first process, None if it is on another machine."""

    name: str
    url: str
    key: str
    pid: int | None

    def get(self, path: str) -> httpx.Response:
        """Return the response to a GET. Raises httpx.HTTPError unless the status is 200."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.get(self.url + path, headers=headers, timeout=60).raise_for_status()


@dataclass(frozen=True, kw_only=True)
class Ids:
    """What a server has: products and customers."""

    products: Sequence[str]
    customers: Sequence[str]


def connect(name: str, url: str, key: str) -> Api:
    """Return the server at a base URL. Its process is found by the port it listens on."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    pid = measure.listener(port) if parts.hostname in {"127.0.0.1", "localhost", "::1"} else None
    return Api(name=name, url=url.rstrip("/"), key=key, pid=pid)


def ids(api: Api) -> Ids:
    """Return products and customers of a server. Raises RuntimeError if there are too few."""
    products = [product["id"] for product in _walk(api, "/api/v1/products")]
    customers = sorted({order["customerId"] for order in _walk(api, "/api/v1/orders") if order["customerId"]})
    if len(products) < 2 or not customers:
        raise RuntimeError(f"{api.name} lists {len(products)} products and {len(customers)} customers with orders.")
    return Ids(products=products, customers=customers)


def _walk(api: Api, path: str) -> Iterator[dict[str, str]]:
    cursor = None
    for _ in range(PAGES):
        page = api.get(f"{path}?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")).json()
        yield from page["data"]
        cursor = page["pagination"]["nextCursor"]
        if cursor is None:
            return


def _list(_: Ids, __: random.Random) -> Request:
    return Request(method="GET", path="/api/v1/products?limit=50")


def _cursor(found: Ids, chance: random.Random) -> Request:
    return Request(method="GET", path=f"/api/v1/products?limit=50&cursor={chance.choice(found.products)}")


def _get(found: Ids, chance: random.Random) -> Request:
    return Request(method="GET", path=f"/api/v1/products/{chance.choice(found.products)}")


def _orders(_: Ids, __: random.Random) -> Request:
    return Request(method="GET", path="/api/v1/orders?limit=50")


def _create(found: Ids, chance: random.Random) -> Request:
    chosen = chance.sample(found.products, 2)
    items = [{"productId": product, "quantity": chance.randint(1, MAX_QUANTITY)} for product in chosen]
    body = json.dumps({"customerId": chance.choice(found.customers), "items": items})
    return Request(method="POST", path="/api/v1/orders", body=body)


SCENARIOS: dict[str, Callable[[Ids, random.Random], Request]] = {
    "list": _list,
    "cursor": _cursor,
    "get": _get,
    "orders": _orders,
    "create": _create,
}
TITLES = {
    "list": "50 products, first page",
    "cursor": "50 products, any page",
    "get": "one product",
    "orders": "50 orders with their items",
    "create": "place an order of two products",
}


def requests(scenario: str, found: Ids) -> list[Request]:
    """Return the requests of a scenario, the same in every run on the same data."""
    chance = random.Random(SEED)
    return [SCENARIOS[scenario](found, chance) for _ in range(VARIANTS)]
