"""What every operation of the document has to do, on both databases. docs/operations.md refers to these tests."""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest

from app.db import Database
from app.spec import Operation
from models import AuditEntry, Event, Scope
from tests.contract.operation_changes import CHANGES
from tests.support import factories, requests, waiting
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.requests import OPERATIONS, Ids, build, id_names
from tests.support.servers import Server

CONCURRENT = 6
SECRETS = ("secret", "key")  # members that a replayed response does not show
ALL = list(OPERATIONS.values())
PRIVATE = [operation for operation in ALL if not operation.is_public]
SCOPED = [operation for operation in ALL if operation.scope is not None]
WRITES = [operation for operation in ALL if not operation.is_read_only]
IDEMPOTENT = [operation for operation in WRITES if operation.method != "DELETE"]
NAMED = [(operation, name) for operation in ALL for name in id_names(operation)]
FILTERS = [(one, name) for one, name in NAMED if name.startswith("query:") and "{" not in one.path]
STATUSES = {"path": {404}, "query": {200, 400}, "body": {200, 422}}  # for an unknown id


class Recorded(NamedTuple):
    """The actions of the audit entries of a request, and the types of its events, in alphabetical order."""

    audit: tuple[str, ...]
    events: tuple[str, ...]


NOTHING = Recorded(audit=(), events=())


@dataclass(frozen=True, kw_only=True)
class World:
    """A company with one resource of each kind, and a client with a key that has every scope."""

    client: Client
    tenant: Tenant
    database: Database
    ids: Ids

    def again(self) -> "World":
        """Return the same company with other resources."""
        return replace(self, ids=requests.resources(self.client, self.tenant, self.database))

    def key(self, *scopes: Scope) -> tuple[str, dict[str, str]]:
        """Return the id of a new key with these scopes, and the header of a request with it."""
        key_id, plaintext = factories.api_key(self.database, self.tenant.company_id, scopes=scopes)
        return key_id, {"Authorization": f"Bearer {plaintext}"}

    def recorded(self, request_id: str, *, key_id: str | None = None) -> Recorded:
        """Return what a request recorded. Raises AssertionError unless the key of the company, or `key_id`, did it."""
        with self.database.transaction() as session:
            own = {"company_id": self.tenant.company_id, "request_id": request_id}
            entries = session.query(AuditEntry).filter_by(**own).all()
            events = session.query(Event).filter_by(**own).all()
        actors = {(entry.actor_type, entry.actor_id, entry.address) for entry in entries}
        assert actors <= {("API_KEY", key_id or self.tenant.key_id, "127.0.0.1")}
        return Recorded(
            audit=tuple(sorted(entry.action for entry in entries)), events=tuple(sorted(event.type for event in events))
        )

    def count(self) -> tuple[int, int]:
        """Return the number of entries and events of the company."""
        counts = [factories.count(self.database, model, self.tenant.company_id) for model in (AuditEntry, Event)]
        return counts[0], counts[1]


def create(client: Client, tenant: Tenant, database: Database) -> World:
    ids = requests.resources(client, tenant, database)
    return World(client=client, tenant=tenant, database=database, ids=ids)


@pytest.fixture
def world(client: Client, tenant: Tenant, database: Database) -> World:
    return create(client, tenant, database)


@pytest.fixture(scope="module")
def pair(server: Server, database: Database, contract: Contract) -> Iterator[tuple[World, World]]:
    """Return two companies. The tests that use them change nothing."""
    one, other = factories.tenant(database), factories.tenant(database)
    with Client(server.url, one.key, contract) as client, Client(server.url, other.key, contract) as other_client:
        yield create(client, one, database), create(other_client, other, database)


@pytest.fixture
def subject(request: pytest.FixtureRequest, operation: Operation) -> World:
    """Return a company that the operation may change: a new one for a write."""
    found: World = request.getfixturevalue("pair")[0] if operation.is_read_only else request.getfixturevalue("world")
    return found


def of(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=[operation.id for operation in operations])


def expected(operation: Operation) -> Recorded:
    """Return what the matrix has for an operation."""
    if operation.is_read_only:
        return NOTHING
    change = CHANGES[operation.id]
    audit, events = (() if isinstance(part, str) else tuple(sorted(part)) for part in (change.audit, change.events))
    return Recorded(audit=audit, events=events)


def without_secrets(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    body["data"] = {name: None if name in SECRETS else value for name, value in body["data"].items()}
    return body


class TestScope:
    @of(PRIVATE)
    def test_without_a_key_nothing_is_called(
        self, pair: tuple[World, World], anonymous: Client, operation: Operation
    ) -> None:
        world, _ = pair
        before = world.count()

        assert build(operation, world.ids).send(anonymous).status_code == 401
        assert world.count() == before

    @of(SCOPED)
    def test_a_key_with_every_other_scope_is_refused(
        self, pair: tuple[World, World], anonymous: Client, operation: Operation
    ) -> None:
        world, _ = pair
        _, headers = world.key(*(scope for scope in Scope if scope is not operation.scope))
        before = world.count()

        response = build(operation, world.ids).send(anonymous, **headers)

        message = f'Insufficient permissions. This key lacks the "{operation.scope}" scope.'
        assert (response.status_code, response.json()["error"]) == (403, message)
        assert world.count() == before


class TestOtherCompany:
    @pytest.mark.parametrize(("operation", "name"), NAMED, ids=[f"{operation.id}-{name}" for operation, name in NAMED])
    def test_an_id_of_another_company_is_unknown(
        self, pair: tuple[World, World], operation: Operation, name: str
    ) -> None:
        world, other = pair
        resource = requests.resource_of(operation, name.partition(":")[2])
        unknown = {**other.ids, resource: requests.UNKNOWN_ID}
        before = world.count(), other.count()

        responses = [
            requests.with_id(operation, name, world.ids, ids).send(world.client) for ids in (other.ids, unknown)
        ]

        texts = [response.text.replace(other.ids[resource], requests.UNKNOWN_ID) for response in responses]
        assert texts[0] == texts[1]
        assert responses[0].status_code == responses[1].status_code
        assert responses[0].status_code in STATUSES[name.partition(":")[0]]
        assert (world.count(), other.count()) == before

    @pytest.mark.parametrize(("operation", "name"), FILTERS, ids=[f"{one.id}-{name}" for one, name in FILTERS])
    def test_only_an_id_of_the_company_selects_items(
        self, pair: tuple[World, World], operation: Operation, name: str
    ) -> None:
        world, other = pair
        own = requests.with_id(operation, name, world.ids, world.ids).send(world.client)
        foreign = requests.with_id(operation, name, world.ids, other.ids).send(world.client)

        assert own.status_code == 200
        if name == "query:cursor":
            assert (foreign.status_code, foreign.json()["error"]) == (400, "Invalid cursor.")
        else:
            assert own.json()["data"] != []
            assert foreign.json()["data"] == []

    @of([operation for operation in ALL if any(name.startswith("body:") for name in id_names(operation))])
    def test_the_requests_of_these_tests_have_every_id_of_the_document(self, operation: Operation) -> None:
        body = repr(requests.BODIES[operation.id](defaultdict(str)))

        missing = [name for name in id_names(operation) if name.startswith("body:") and f"'{name[5:]}'" not in body]
        assert missing == []


class TestIdempotency:
    @of(IDEMPOTENT)
    def test_a_request_acts_once_per_key(self, world: World, operation: Operation) -> None:
        request, key = build(operation, world.ids), str(uuid.uuid4())
        first, second = (
            request.send(world.client, Idempotency_Key=key, X_Request_Id=request_id) for request_id in ("r-1", "r-2")
        )
        other = build(operation, world.again().ids).send(world.client, Idempotency_Key=key, X_Request_Id="r-3")

        assert first.is_success
        assert second.status_code == first.status_code
        assert second.headers["idempotency-replayed"] == "true"
        assert without_secrets(second) == without_secrets(first)
        assert second.headers.get("location") == first.headers.get("location")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert [world.recorded(request_id) for request_id in ("r-2", "r-3")] == [NOTHING] * 2

    @of([one for one in IDEMPOTENT if "RequiredIdempotencyKey" in requests.parameter_components(one)])
    def test_a_key_can_be_required(self, world: World, operation: Operation) -> None:
        request, before = build(operation, world.ids), world.count()

        response = world.client.request(operation.method, request.path, json=request.body)

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert world.count() == before


class TestRecords:
    @of(ALL)
    def test_a_change_has_its_audit_entries_and_events(
        self, subject: World, anonymous: Client, operation: Operation
    ) -> None:
        """The key has only the scope of the operation. A public operation is called without one."""
        key_id, headers = subject.key(operation.scope or Scope.AUDIT_READ)
        given = {} if operation.is_public else headers
        name = str(uuid.uuid4())

        response = build(operation, subject.ids).send(anonymous, X_Request_Id=name, **given)

        assert response.is_success, response.text
        assert subject.recorded(name, key_id=key_id) == expected(operation)


class TestRaces:
    @of(WRITES)
    def test_concurrent_requests_are_recorded_as_they_took_effect(self, world: World, operation: Operation) -> None:
        request = build(operation, world.ids)
        names = [f"r-{number}" for number in range(CONCURRENT)]

        responses = waiting.concurrently(*[partial(request.send, world.client, X_Request_Id=name) for name in names])

        assert all(response.status_code < 500 for response in responses)
        recorded = [world.recorded(name) for name in names]
        found = {(response.is_success, one) for response, one in zip(responses, recorded, strict=True)}
        assert (True, expected(operation)) in found  # one of them took effect
        assert found <= {(True, expected(operation)), (True, NOTHING), (False, NOTHING)}
        if operation.method == "DELETE":
            assert sum(one == expected(operation) for one in recorded) == 1
