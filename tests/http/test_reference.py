"""The reference page: what it fills in when an operation is tried out, and where it sends the request."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app import spec
from app.db import Database
from app.spec import Document, Operation
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import Server

READS = [each for each in spec.operations(spec.document()) if each.method == "GET" and not each.is_public]
LISTS = [each.id for each in READS if "{" not in each.path]
EMPTY = {"listWebhooks", "listEvents"}  # nothing has happened yet in a demo company


def parameters(document: Document, operation: Operation) -> Iterator[Document]:
    for each in operation.definition.get("parameters", []):
        parameter = spec.resolve(document, each)
        yield {**parameter, "schema": spec.resolve(document, parameter["schema"])}


def prefilled(parameter: Document) -> Any:
    """Return what Swagger UI writes into the field of a parameter, None when it leaves the field empty."""
    examples = [each["value"] for each in parameter.get("examples", {}).values()]
    schema = parameter["schema"]
    values = [*examples[:1], parameter.get("example"), schema.get("example"), schema.get("default")]
    return next((each for each in values if each is not None), None)


@pytest.fixture
def demo(server: Server, database: Database, contract: Contract) -> Iterator[Client]:
    """Return a client with a key of the demo company."""
    with Client(server.url, factories.demo_key(database), contract) as client:
        yield client


@pytest.fixture(scope="session")
def document(server: Server) -> Document:
    """Return the document as the reference page loads it."""
    served: Document = httpx.get(server.url + "/api/v1/openapi.json").json()
    return served


def find(document: Document, operation_id: str) -> Operation:
    return next(each for each in spec.operations(document) if each.id == operation_id)


class TestTryItOut:
    @pytest.mark.parametrize("operation_id", LISTS)
    def test_an_untouched_request_answers_200_with_rows(
        self, demo: Client, document: Document, operation_id: str
    ) -> None:
        operation = find(document, operation_id)
        query = {each["name"]: prefilled(each) for each in parameters(document, operation)}

        response = demo.get(operation.path, params={name: value for name, value in query.items() if value is not None})

        assert response.status_code == 200
        assert response.json()["data"] or operation_id in EMPTY

    @pytest.mark.parametrize("operation_id", [each.id for each in spec.operations(spec.document())])
    def test_only_a_default_is_filled_in(self, document: Document, operation_id: str) -> None:
        for each in parameters(document, find(document, operation_id)):
            assert prefilled(each) == each["schema"].get("default"), each["name"]

    @pytest.mark.parametrize("operation_id", [each.id for each in READS if each.id not in LISTS])
    def test_every_id_says_which_list_has_it(self, document: Document, operation_id: str) -> None:
        paths = {f"`GET {each.path}`" for each in spec.operations(document) if each.id.startswith("list")}
        needed = [each for each in parameters(document, find(document, operation_id)) if each["in"] == "path"]

        assert needed
        for each in needed:
            assert any(path in each["description"] for path in paths), each["name"]
