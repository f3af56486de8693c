"""The reference page: what it fills in when an operation is tried out, and where it sends the request."""

from collections.abc import Iterator
from typing import Any

import pytest

from app import spec
from app.db import Database
from app.spec import Document, Operation
from tests.support import factories, local_http
from tests.support.client import Client, Contract
from tests.support.servers import Server

READS = [
    operation for operation in spec.operations(spec.document()) if operation.method == "GET" and not operation.is_public
]
LISTS = [operation.id for operation in READS if "{" not in operation.path]


def parameters(document: Document, operation: Operation) -> Iterator[Document]:
    for reference in operation.definition.get("parameters", []):
        parameter = spec.resolve(document, reference)
        yield {**parameter, "schema": spec.resolve(document, parameter["schema"])}


def prefilled(parameter: Document) -> Any:
    """Return what a reference page writes into the field of a parameter, None when it leaves the field empty."""
    examples = [example["value"] for example in parameter.get("examples", {}).values()]
    schema = parameter["schema"]
    values = [*examples[:1], parameter.get("example"), schema.get("example"), schema.get("default")]
    return next((value for value in values if value is not None), None)


@pytest.fixture
def demo(server: Server, database: Database, contract: Contract) -> Iterator[Client]:
    """Return a client with a key of the demo company."""
    with Client(server.url, factories.demo_key(database), contract) as client:
        yield client


@pytest.fixture(scope="session")
def document(server: Server) -> Document:
    """Return the document as the reference page loads it."""
    served: Document = local_http.get(server.url + "/api/v1/openapi.json").json()
    return served


def find(document: Document, operation_id: str) -> Operation:
    return next(operation for operation in spec.operations(document) if operation.id == operation_id)


class TestTryItOut:
    @pytest.mark.parametrize("operation_id", LISTS)
    def test_an_unchanged_request_returns_200_with_rows(
        self, demo: Client, document: Document, operation_id: str
    ) -> None:
        operation = find(document, operation_id)
        query = {parameter["name"]: prefilled(parameter) for parameter in parameters(document, operation)}

        response = demo.get(operation.path, params={name: value for name, value in query.items() if value is not None})

        assert response.status_code == 200
        assert response.json()["data"]

    @pytest.mark.parametrize("operation_id", [operation.id for operation in spec.operations(spec.published())])
    def test_only_what_an_operation_needs_or_a_default_is_filled_in(
        self, document: Document, operation_id: str
    ) -> None:
        for parameter in parameters(document, find(document, operation_id)):
            is_needed = parameter["in"] == "path" or (operation_id, parameter["name"]) == ("upsertProduct", "sku")
            assert (prefilled(parameter) is not None) == (is_needed or "default" in parameter["schema"])

    @pytest.mark.parametrize("operation_id", [operation.id for operation in READS if operation.id not in LISTS])
    def test_every_id_names_the_list_that_has_it(self, document: Document, operation_id: str) -> None:
        paths = {
            f"`GET {operation.path}`" for operation in spec.operations(document) if operation.id.startswith("list")
        }
        needed = [
            parameter for parameter in parameters(document, find(document, operation_id)) if parameter["in"] == "path"
        ]

        assert needed
        for parameter in needed:
            assert any(path in parameter["description"] for path in paths), parameter["name"]
