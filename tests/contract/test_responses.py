"""Responses that do not depend on what an operation does: every operation that declares one returns it.

The tests of the operations produce the others. At the end of `make test`, `produced.py` compares all of them with the
document.
"""

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.db import Database
from app.spec import Operation
from tests.contract import produced
from tests.contract.test_operations import IDEMPOTENT, PRIVATE, World, create, of
from tests.support import factories, waiting
from tests.support.client import Client, Contract
from tests.support.produced import Produced
from tests.support.requests import OPERATIONS, UNKNOWN_ID, OperationRequest, build
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

ON_POSTGRESQL = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
WITH_BODY = [operation for operation in OPERATIONS.values() if "requestBody" in operation.definition]
UNKNOWN_KEY = "dk_" + "x" * 43
ANY_IDS: defaultdict[str, str] = defaultdict(lambda: UNKNOWN_ID)


def send(client: httpx.Client, request: OperationRequest, content: object = None, **headers: str) -> httpx.Response:
    """Send a request with another body, as JSON."""
    given = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    method, path, query = request.operation.method, request.path, request.query
    return client.request(method, path, params=query, content=content, headers=given)  # type: ignore[arg-type]


def with_unreadable_query(world: World, request: OperationRequest) -> httpx.Response:
    return world.client.request(request.operation.method, f"{request.path}?a=%ff", json=request.body)


def with_unknown_parameter(world: World, request: OperationRequest) -> httpx.Response:
    return replace(request, query={**request.query, "unknown": "1"}).send(world.client)


def with_large_body(world: World, request: OperationRequest) -> httpx.Response:
    limit = request.operation.definition["requestBody"].get("x-max-bytes", 1_000_000)
    return send(world.client, request, b" " * (limit + 1))


PROVOCATIONS: dict[str, Callable[[World, OperationRequest], httpx.Response]] = {
    "malformed_request": with_unreadable_query,
    "validation_failed": with_unknown_parameter,
    "invalid_json": lambda world, request: send(world.client, request, b"{"),
    "key_invalid": lambda world, request: request.send(world.client, Authorization=f"Bearer {UNKNOWN_KEY}"),
    "not_acceptable": lambda world, request: request.send(world.client, Accept="text/html"),
    "body_too_large": with_large_body,
    "unsupported_media_type": lambda world, request: send(world.client, request, b"a=b", Content_Type="text/plain"),
}
DECLARED = [response for response in produced.declared() if response.code in PROVOCATIONS]


@pytest.fixture(scope="module")
def world(server: Server, database: Database, contract: Contract) -> Iterator[World]:
    """Return a company that no test changes."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        yield create(client, tenant, database)


@pytest.mark.parametrize("response", DECLARED, ids=[f"{found.operation}-{found.code}" for found in DECLARED])
def test_an_operation_returns_the_error_that_it_declares(world: World, response: Produced) -> None:
    before = world.count()

    received = PROVOCATIONS[response.code](world, build(OPERATIONS[response.operation], world.ids))

    assert (str(received.status_code), received.json()["code"]) == (response.status, response.code)
    assert world.count() == before


@pytest.fixture(scope="module")
def exhausted(world: World) -> dict[str, str]:
    """Return the header of an API key that has reached its rate limit."""
    _, key = factories.api_key(world.database, world.tenant.company_id, rate_limit="1/hour")
    headers = {"Authorization": f"Bearer {key}"}
    world.client.get("/me", headers=headers).raise_for_status()
    return headers


@of(PRIVATE)
def test_beyond_its_rate_limit_a_key_is_429(world: World, exhausted: dict[str, str], operation: Operation) -> None:
    response = build(operation, world.ids).send(world.client, **exhausted)

    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")


@ON_POSTGRESQL
@of(IDEMPOTENT)
def test_a_duplicate_of_a_running_request_is_409(world: World, operation: Operation) -> None:
    """On SQLite, which has one writer at a time, a duplicate waits until the first request has finished."""
    key = str(uuid.uuid4())
    with world.database.transaction() as session:
        db.try_lock(session, f"{world.tenant.company_id} {operation.id} {key}")
        response = build(operation, world.ids).send(world.client, Idempotency_Key=key)

    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_in_use")


def test_a_body_that_never_ends_is_408(world: World) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(int(waiting.SECONDS)):
            yield b" "
            time.sleep(1)

    requests = [build(operation, world.ids) for operation in WITH_BODY]
    responses = waiting.concurrently(*[partial(send, world.client, request, endless()) for request in requests])

    assert {(response.status_code, response.json()["code"]) for response in responses} == {(408, "body_timeout")}


@ON_POSTGRESQL
def test_without_the_database_an_operation_is_503(store: PostgresqlStore, tmp_path: Path, contract: Contract) -> None:
    url = store.create("unavailable")
    with Server(url, tmp_path / "log") as server, Client(server.url, UNKNOWN_KEY, contract) as client:
        store.rename("unavailable", "renamed")
        responses = [
            client.request(operation.method, operation.path.format_map(ANY_IDS), json={}) for operation in PRIVATE
        ]
        store.rename("renamed", "unavailable")
    store.drop(url)

    codes = {(response.status_code, response.json()["code"]) for response in responses}
    assert codes == {(503, "database_unavailable")}


def test_without_its_tables_an_operation_is_500(sqlite_store: SqliteStore, tmp_path: Path, contract: Contract) -> None:
    """A server that is ready expects the tables: that one is missing is a bug."""
    url = sqlite_store.create("incomplete")
    with Server(url, tmp_path / "log") as server, Client(server.url, UNKNOWN_KEY, contract) as client:
        database = open_database(url)
        with database.transaction(write=True) as session:
            session.execute(sa.text("DROP TABLE api_keys"))
        database.dispose()
        responses = [
            client.request(operation.method, operation.path.format_map(ANY_IDS), json={}) for operation in PRIVATE
        ]
    sqlite_store.drop(url)

    assert {(response.status_code, response.json()["code"]) for response in responses} == {(500, "internal_error")}
