"""docs/api/distribu.postman_collection.json: every request of it works with a new demo company."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import spec
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import ROOT, Server, SqliteStore, open_database

COLLECTION = json.loads((ROOT / "docs/api/distribu.postman_collection.json").read_text())
# The order of a company that begins: what sells, who orders, what is ordered, shipped, returned and refunded.
FOLDERS = [
    "Meta",
    "API keys",
    "Products",
    "Inventory",
    "Customers",
    "Prices",
    "Orders",
    "Shipments",
    "Returns",
    "Refunds",
    "Reports",
    "Bulk",
    "Webhooks",
    "Events",
    "Audit log",
]
# What others of the folder need.
EARLY = {"Create a product", "Refund a return", "Set a price override", "Create a webhook", "Send a test event"}
# What ends the use of a resource. The requests that delete one follow.
LAST = ["Void a credit note", "Update a customer"]
# The product was ordered, and a company cannot delete such a product.
REFUSED = {"Delete a product": 422}


@dataclass
class Postman:
    """Postman, as far as the collection needs it: variables, authorization, and the script that stores ids."""

    client: httpx.Client
    variables: dict[str, str]

    def send(self, item: dict[str, Any]) -> httpx.Response:
        request = item["request"]
        enabled = [header for header in request["header"] if not header.get("disabled")]
        headers = {header["key"]: self.fill(header["value"]) for header in enabled}
        if request.get("auth", COLLECTION["auth"])["type"] == "bearer":
            (token,) = COLLECTION["auth"]["bearer"]
            headers["Authorization"] = f"Bearer {self.fill(token['value'])}"
        content = None
        if "body" in request:
            assert request["body"]["options"]["raw"]["language"] == "json"
            headers["Content-Type"] = "application/json"
            content = self.fill(request["body"]["raw"])
        url = self.fill(request["url"]["raw"])
        response = self.client.request(request["method"], url, headers=headers, content=content)
        self._store(item, response)
        return response

    def fill(self, text: str) -> str:
        values = self.variables | {"$guid": str(uuid.uuid4())}
        return re.sub(r"\{\{(.*?)\}\}", lambda found: values[found[1]], text)

    def _store(self, item: dict[str, Any], response: httpx.Response) -> None:
        for event in item.get("event", []) if response.is_success else []:
            for name, pointer in script_pointers(event).items():
                value = lookup(response.json(), pointer)
                if value:
                    self.variables[name] = value


def script_pointers(event: dict[str, Any]) -> dict[str, str]:
    """Return the variables that a script stores, with their JSON pointers."""
    (line,) = (line for line in event["script"]["exec"] if line.startswith("const pointers = "))
    return dict(json.loads(line.removeprefix("const pointers = ").removesuffix(";")))


def lookup(node: Any, pointer: str) -> Any:
    for name in pointer[1:].split("/"):
        if isinstance(node, list):
            node = node[int(name)] if int(name) < len(node) else None
        else:
            node = (node or {}).get(name)
    return node


def requests() -> Iterator[dict[str, Any]]:
    """Yield the requests of the collection in the order in which a company needs them."""
    folders = {folder["name"]: folder["item"] for folder in COLLECTION["item"]}
    assert sorted(folders) == sorted(FOLDERS)
    items = [item for name in FOLDERS for item in sorted(folders[name], key=lambda item: item["name"] not in EARLY)]
    last = [item for name in LAST for item in items if item["name"] == name]
    deletions = [item for item in items if item["request"]["method"] == "DELETE"]
    yield from (item for item in items if item not in last and item not in deletions)
    yield from last
    yield from deletions


REQUESTS = list(requests())


def test_every_operation_is_a_request() -> None:
    operations = {operation.definition["summary"] for operation in spec.operations(spec.published())}

    assert {item["name"] for item in REQUESTS} == operations
    assert len(REQUESTS) == len(operations)


def test_every_id_of_a_path_is_stored_by_a_request() -> None:
    paths = "".join(item["request"]["url"]["raw"] for item in REQUESTS)
    stored = {name for item in REQUESTS for event in item.get("event", []) for name in script_pointers(event)}

    assert set(re.findall(r"\{\{(\w+)\}\}", paths)) - {"baseUrl"} <= stored
    assert stored <= {variable["key"] for variable in COLLECTION["variable"]}


@pytest.mark.parametrize("item", REQUESTS, ids=lambda item: item["name"])
def test_the_parts_of_a_url_are_those_of_its_text(item: dict[str, Any]) -> None:
    url = item["request"]["url"]
    enabled = [f"{part['key']}={part['value']}" for part in url["query"] if not part["disabled"]]

    assert url["raw"] == "/".join([*url["host"], *url["path"]]) + ("?" + "&".join(enabled) if enabled else "")


def test_every_request_succeeds_with_a_new_demo_company(
    sqlite_store: SqliteStore, contract: Contract, tmp_path: Path
) -> None:
    url = sqlite_store.create("postman")
    database = open_database(url)
    key = factories.demo_key(database)
    database.dispose()
    with Server(url, tmp_path / "log") as server, Client(server.url, None, contract) as client:
        postman = Postman(client, {"baseUrl": server.url + "/api/v1", "apiKey": key})
        responses = {item["name"]: postman.send(item) for item in REQUESTS}

    refused = {name: response for name, response in responses.items() if not response.is_success}
    texts = [(name, response.text) for name, response in refused.items()]
    assert {name: response.status_code for name, response in refused.items()} == REFUSED, texts
