"""Clients are generated from the served document, and used by a program, in every language that docs/clients.md names.

`make test` does not run these tests, because they need the compilers. `make clients` does.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app import spec
from tests.clients import openapi_generator, python_attrs, typescript
from tests.clients.programs import READERS, DemoShop, Program, normalized
from tests.support import local_http
from tests.support.evolving_proxy import OPEN_LIST, SUFFIX, evolving

CLIENTS: dict[str, Callable[[Path, Path], Program]] = {
    "go": openapi_generator.go,
    "java": openapi_generator.java,
    "python": openapi_generator.python,
    "openapi-python-client": python_attrs.openapi_python_client,
    "openapi-typescript": typescript.openapi_typescript,
    "hey-api": typescript.hey_api,
}
CUSTOMER = "/api/v1/customers/cmdw8k1ze0002qj7h6r4t9v3b"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="session")
def programs(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Program]]]:
    """Start to build the programs of all clients, two at a time."""
    builds = ThreadPoolExecutor(2)
    yield {name: builds.submit(build, document, tmp_path_factory.mktemp(name)) for name, build in CLIENTS.items()}
    builds.shutdown(cancel_futures=True)


@pytest.fixture(scope="module", params=CLIENTS)
def program(request: pytest.FixtureRequest, programs: dict[str, Future[Program]]) -> Program:
    """Return the program of a client, compiled with it."""
    return programs[request.param].result()


@pytest.fixture
def delivered(shop: DemoShop) -> Iterator[DemoShop]:
    """Return a company that has a webhook, with an event in its deliveries."""
    body = {"url": "http://127.0.0.1:1", "events": ["*"]}
    path = f"/api/v1/webhooks/{_request(shop, 'POST', '/api/v1/webhooks', json=body)['data']['id']}"
    _request(shop, "POST", f"{path}/test")
    yield shop
    _request(shop, "DELETE", path)


def test_the_client_has_every_operation(program: Program, document: Path) -> None:
    paths = json.loads(document.read_text())["paths"].values()
    operations = {
        normalized(operation["operationId"])
        for path in paths
        for method, operation in path.items()
        if method in METHODS
    }

    assert operations - {normalized(name) for name in program.operations} == set()


def test_a_program_uses_the_client(program: Program, shop: DemoShop) -> None:
    """It receives an order that it places, reads all pages, is refused, and clears one of the fields of a customer."""
    _request(shop, "PATCH", CUSTOMER, json={"creditLimit": 5000})
    notes = _request(shop, "GET", CUSTOMER)["data"]["notes"]
    webhooks = _request(shop, "GET", "/api/v1/webhooks")

    printed = program.run(shop)

    order = _request(shop, "GET", "/api/v1/orders?limit=1")["data"][0]
    stock = _request(shop, "GET", f"/api/v1/products/{order['items'][0]['productId']}")["data"]["stock"]
    assert printed == {
        "order": [order["id"]],
        "next step": ["confirm"],
        "received order": [order["id"]],
        "changed delivery is genuine": ["false"],
        "products": [str(_count(shop, "/api/v1/products"))],
        "refused": ["422 insufficient_stock"],
        "error": [f"insufficient_stock /items/0/quantity {stock}"],
        "has a credit limit": ["false"],
        "notes": [notes],
    }
    customer = _request(shop, "GET", CUSTOMER)["data"]
    assert (customer["creditLimit"], customer["notes"]) == (None, notes)
    assert _request(shop, "GET", "/api/v1/webhooks") == webhooks


def test_a_program_works_with_a_later_version(program: Program, shop: DemoShop) -> None:
    """Every object of a response has a new field, and every value of an open list is unknown to the client."""
    with evolving(shop.url) as (url, proxy):
        printed = program.run(shop._replace(url=url))

    order = _request(shop, "GET", "/api/v1/orders?limit=1")["data"][0]
    assert printed["order"] == printed["received order"] == [order["id"]]
    assert printed["next step"] == [f"unknown, the status is SUBMITTED{SUFFIX}"]
    assert printed["refused"] == ["422 insufficient_stock"]
    assert printed["products"] == [str(_count(shop, "/api/v1/products"))]
    assert proxy.fields


@pytest.mark.parametrize("name", sorted(folder.name for folder in READERS.iterdir()))
def test_a_client_accepts_unknown_values_in_every_list(
    name: str, programs: dict[str, Future[Program]], delivered: DemoShop
) -> None:
    with evolving(delivered.url) as (url, proxy):
        programs[name].result().read(delivered._replace(url=url))

    document = spec.published()
    responses = [operation.definition["responses"] for operation in spec.operations(document)]
    assert proxy.lists == set(_open_lists(spec.dereference(document, responses)))


def _open_lists(node: Any) -> Iterator[tuple[str, ...]]:
    """Yield every open list of values at or below `node`."""
    if isinstance(node, dict) and isinstance(node.get(OPEN_LIST), list):
        yield tuple(node[OPEN_LIST])
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _open_lists(child)


def _count(shop: DemoShop, path: str) -> int:
    """Return the number of items on all pages of a list."""
    count, cursor = 0, ""
    while True:
        page = _request(shop, "GET", f"{path}?limit=100{cursor}")
        count += len(page["data"])
        if not page["pagination"]["hasMore"]:
            return count
        cursor = f"&cursor={page['pagination']['nextCursor']}"


def _request(shop: DemoShop, method: str, path: str, **options: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {shop.key}"}
    response = local_http.request(method, shop.url + path, headers=headers, **options).raise_for_status()
    content: dict[str, Any] = response.json()
    return content
