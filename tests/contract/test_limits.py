"""The limits of every value of a request, at their edges: what its schema allows is accepted, and the rest is a 400.

Each request is the valid one of tests/support/requests.py with one value replaced. A business rule may refuse it with
another status, and a 400 points to the value.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from app import spec
from app.db import Database
from app.http.schema_validator import FORMATS, to_json_schema
from app.spec import Document, Operation
from tests.contract.test_operations import World, create
from tests.support import edges, factories, requests
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.requests import DOCUMENT, OPERATIONS, build
from tests.support.servers import Server

WITH_BODY = [operation for operation in OPERATIONS.values() if "requestBody" in operation.definition]
# Not those in paths: an id that is too long is one that no resource has, so the response is a 404.
PARAMETERS = [
    (operation, parameter)
    for operation in OPERATIONS.values()
    for parameter in requests.parameters(operation)
    if parameter["in"] != "path"
]
# Members that keep other values valid: a reason for every delta, and no quantity rules from an earlier request.
ADDITIONS: dict[str, dict[str, Any]] = {
    "createInventoryAdjustment": {"reason": "CORRECTION"},
    "updateProduct": dict.fromkeys(("minOrderQuantity", "orderMultiple", "maxOrderQuantity")),
}
# Rules that refuse values with a 400 although their schemas allow them. They have tests of their operations.
RULES = {
    ("createApiKey", "/expiresAt"): "in the future",
    ("recoverWebhook", "/until"): "not before since",
    ("upsertProduct", "/sku"): "not also in the query",
    ("upsertProduct", "/query/externalId"): "not together with sku",
}
RULES_OF_PARAMETERS = {"/query/cursor": "the id of an item", "/query/to": "not before the start of the preset"}


@pytest.fixture
def world(client: Client, tenant: Tenant, database: Database) -> World:
    """Return a company that a test may change."""
    return create(client, tenant, database)


@pytest.fixture(scope="module")
def shared(server: Server, database: Database, contract: Contract) -> Iterator[World]:
    """Return a company for all parameters. A request may change it: what is left is a 404 or a 422 later, not a 400."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        yield create(client, tenant, database)


def body_schema(operation: Operation) -> Document:
    """Return the schema of a body. An error of an item with its own result is not one of the request."""
    schema = operation.definition["requestBody"]["content"]["application/json"]["schema"]
    found: Document = spec.dereference(DOCUMENT, schema)
    return found


def without_items(schema: Document) -> Document:
    """Return a schema without those of items that have results."""
    lists = {
        name: {key: value for key, value in member.items() if key != "items"}
        for name, member in schema.get("properties", {}).items()
        if member.get("x-errors-per-item")
    }
    return {**schema, "properties": {**schema.get("properties", {}), **lists}} if lists else schema


def validator(schema: Document) -> Any:
    return jsonschema_rs.Draft4Validator(to_json_schema(schema), validate_formats=True, formats=FORMATS)


def disagreement(response: httpx.Response, operation: Operation, pointer: str, *, is_valid: bool) -> str | None:
    """Return how a response contradicts the schema of the value at `pointer`, or None."""
    details = response.json().get("details", []) if response.status_code == 400 else []
    is_named = any(f"{detail['pointer']}/".startswith(f"{pointer}/") for detail in details)
    has_rule = (operation.id, pointer) in RULES or pointer in RULES_OF_PARAMETERS
    if response.status_code < 500 and (is_named is not is_valid or (is_valid and has_rule)):
        return None
    return f"{pointer} {'is' if is_valid else 'is not'} allowed: {response.status_code} {response.text[:300]}"


def send_body(world: World, operation: Operation, body: Any) -> httpx.Response:
    query = {name: str(uuid.uuid4()) for name in build(operation, world.ids).query}
    path, key = build(operation, world.ids).path, {"Idempotency-Key": str(uuid.uuid4())}
    return world.client.request(operation.method, path, params=query, json=body, headers=key)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.id)
def test_the_limits_of_a_body_are_those_of_its_schema(world: World, operation: Operation) -> None:
    schema = body_schema(operation)
    checked = without_items(schema)
    required = requests.BODIES[operation.id](world.ids) if operation.id in requests.BODIES else {}
    body = required | ADDITIONS.get(operation.id, {})
    allowed, found = validator(checked), []
    for path, member in edges.members(checked):
        pointer = "".join(f"/{name}" for name in path)
        for value in edges.values(schema["properties"][path[0]] if len(path) == 1 else member):
            changed = edges.replaced(body, schema, path, value)
            response = send_body(world, operation, changed)
            found.append(disagreement(response, operation, pointer, is_valid=allowed.is_valid(changed)))

    assert [text for text in found if text] == []


def texts(schema: Document) -> Iterator[tuple[str, bool]]:
    """Yield the texts of values of a parameter, and whether its schema allows them."""
    allowed, is_text = validator(schema), schema.get("type", "string") == "string"
    for value in edges.values(schema):
        if isinstance(value, str | bool | int | float):
            text = value if isinstance(value, str) else str(value).lower()
            yield text, allowed.is_valid(text if is_text else value)


@pytest.mark.parametrize(
    ("operation", "parameter"), PARAMETERS, ids=[f"{one.id}-{parameter['name']}" for one, parameter in PARAMETERS]
)
def test_the_limits_of_a_parameter_are_those_of_its_schema(
    shared: World, operation: Operation, parameter: Document
) -> None:
    name, location = parameter["name"], parameter["in"]
    request, found = build(operation, shared.ids), []
    for text, is_valid in texts(spec.dereference(DOCUMENT, parameter["schema"])):
        query = {**request.query, name: text} if location == "query" else request.query
        headers = {"Idempotency-Key": str(uuid.uuid4())} | ({name: text} if location == "header" else {})
        response = shared.client.request(
            operation.method, request.path, params=query, json=request.body, headers=headers
        )
        found.append(disagreement(response, operation, f"/{location}/{name}", is_valid=is_valid))

    assert [text for text in found if text] == []
