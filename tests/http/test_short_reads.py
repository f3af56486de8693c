"""Reads that the event loop runs: which ones, that they are short, and what happens when they are not."""

import contextvars
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http import HTTPStatus

import pytest
from sqlalchemy import text

from app import spec
from app.config import rate_limit
from app.context import CallingKey
from app.db import SPARE_CONNECTIONS, SQLITE_READERS, Database
from app.demo import company as demo_company
from app.errors import DatabaseBusyError, DatabaseUnavailableError, NotFoundError
from app.http import dispatch
from app.http.conditions import VersionReader
from app.http.request_state import RequestHeaders, RequestState
from app.http.short_reads import ShortReads
from app.services import versions
from tests.support import factories, statements, waiting
from tests.support.factories import Tenant
from tests.support.servers import SqliteStore, open_database

OPERATIONS = {operation.id: operation for operation in spec.operations(spec.document())}
HANDLERS = dispatch.find_handlers(OPERATIONS.values(), "handlers")
ONE_ROW = sorted(
    name for name, handler in HANDLERS.items() if (query := versions.find(handler)) and query.version.is_one_row
)


PARENTS = {"getShipment": [["orders"]], "getWebhookDelivery": [["webhooks"]]}  # read first, by separate statements


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = open_database(SqliteStore(tmp_path_factory.mktemp("short")).create("short"))
    yield database
    database.dispose()


@pytest.fixture
def reads(sqlite: Database) -> ShortReads:
    return ShortReads(sqlite, HANDLERS)


def state(operation: str = "getProduct", **arguments: str) -> RequestState:
    found = RequestState(request_id="test", path="/", received=RequestHeaders([]), server=("127.0.0.1", 80))
    found.operation, found.arguments = OPERATIONS[operation], dict(arguments)
    return found


def test_these_operations_are_short(reads: ShortReads) -> None:
    included = {name for name in OPERATIONS if reads.include(state(name))}

    assert included == set(ONE_ROW)
    assert included >= {"getProduct", "getCustomer", "getEvent", "getWebhook"}
    assert all(OPERATIONS[name].method == "GET" and OPERATIONS[name].path.endswith("}") for name in included)
    assert not included & {"getOrder", "getApiKey"}  # several rows


def test_no_operation_of_another_database_is_short(database: Database) -> None:
    assert ShortReads(database, HANDLERS).operations == (set(ONE_ROW) if database.is_sqlite else set())


@pytest.mark.parametrize("operation", ONE_ROW)
def test_a_short_operation_executes_few_statements_on_an_index(sqlite: Database, operation: str) -> None:
    tenant = factories.tenant(sqlite)
    query = versions.find(HANDLERS[operation])
    assert query is not None
    arguments = {argument: str(uuid.uuid4()) for argument in query.arguments.values()}

    with sqlite.transaction() as session, statements.counted(session) as sent:
        with pytest.raises(NotFoundError):
            HANDLERS[operation](factories.context(session, tenant.company_id), **arguments)
        assert len(sent) <= 2
        explain = f"EXPLAIN QUERY PLAN {sent[0]}"
        plan = session.connection().exec_driver_sql(explain, ("",) * explain.count("?")).all()

    steps = [row.detail for row in plan]
    assert steps
    assert all(step.startswith("SEARCH") for step in steps)


@pytest.mark.parametrize("operation", ONE_ROW)
def test_the_last_statement_of_a_short_operation_reads_the_whole_response(sqlite: Database, operation: str) -> None:
    """So it needs no snapshot. Another statement finds out whether the order or the webhook exists."""
    factories.demo_key(sqlite)
    arguments = {spec.snake_case(one["name"]): one["example"] for one in path_parameters(operation)}

    with sqlite.transaction() as session, statements.counted(session) as sent:
        company = demo_company.find(session)
        assert company is not None
        before = len(sent)
        _, status, _ = HANDLERS[operation](factories.context(session, company.id), **arguments)
        own = sent[before:]

    assert status == HTTPStatus.OK
    assert [re.findall(r"\bFROM (\w+)", statement) for statement in own[:-1]] == PARENTS.get(operation, [])


def test_reads_share_a_context_that_is_not_that_of_the_caller(reads: ShortReads) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("kept", default="")

    reads.run(state(), lambda _: variable.set("by the first read"), {})

    assert variable.get() == ""
    assert reads.run(state(), lambda _: variable.get(), {}) == "by the first read"


def path_parameters(operation: str) -> list[spec.Document]:
    document = spec.document()
    found = [spec.dereference(document, one) for one in OPERATIONS[operation].definition["parameters"]]
    return [one for one in found if one["in"] == "path"]


def conditional(tenant: Tenant, product_id: str, tag: str) -> RequestState:
    """Return the state of a request with `If-None-Match` that the event loop runs."""
    found = state(if_none_match=tag, product_id=product_id)
    found.is_on_loop = True
    limit = rate_limit("1000/minute")
    found.key = CallingKey(
        id=tenant.key_id,
        company_id=tenant.company_id,
        name="key",
        prefix="dk_",
        scopes=frozenset(),
        expires_at=None,
        rate_limit=limit,
        default_rate_limit=limit,
    )
    return found


def test_the_event_loop_reads_versions_with_its_own_connection(sqlite: Database, reads: ShortReads) -> None:
    """No thread has to return one first."""
    tenant = factories.tenant(sqlite)
    product = factories.product(sqlite, tenant.company_id)
    reader = VersionReader(sqlite, HANDLERS)

    with ExitStack() as stack:
        for _ in range(SQLITE_READERS + SPARE_CONNECTIONS):
            stack.enter_context(sqlite.reader.connect())
        found = reader.not_modified(conditional(tenant, product, "*"))
        other = reader.not_modified(conditional(tenant, product, '"other"'))

    assert found is not None
    assert found[0] == HTTPStatus.NOT_MODIFIED
    assert other is None
    assert reads.include(conditional(tenant, product, "*"))


def test_the_event_loop_does_not_wait_for_a_lock(sqlite: Database) -> None:
    assert sqlite.file is not None
    other = open_database(SqliteStore(sqlite.file.parent).create("locked"))
    with closing(sqlite3.connect(str(other.file), isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusyError), other.transaction(is_on_loop=True) as session:
            session.execute(text("SELECT 1 FROM companies"))
        tenant = Tenant(company_id="c1", slug="", key="", key_id="k1")
        assert VersionReader(other, HANDLERS).not_modified(conditional(tenant, "p1", "*")) is None
    with other.transaction(is_on_loop=True) as session:
        assert session.execute(text("SELECT 1 FROM companies")).all() == []
    other.dispose()


def test_a_thread_runs_a_request_that_finds_a_lock(reads: ShortReads) -> None:
    def fail(_: object) -> None:
        assert given.is_on_loop
        raise DatabaseUnavailableError("locked")

    given = state()
    assert reads.run(given, fail, {}) is None
    assert not given.is_on_loop


def test_every_other_error_is_raised(reads: ShortReads) -> None:
    def fail(_: object) -> None:
        raise NotFoundError("Product")

    given = state()
    with pytest.raises(NotFoundError):
        reads.run(given, fail, {})
    assert not given.is_on_loop


def test_threads_run_the_requests_after_slow_ones(reads: ShortReads) -> None:
    def read(seconds: float) -> str:
        time.sleep(seconds)
        return "read"

    for _ in range(3):
        assert reads.include(state())
        assert reads.run(state(), lambda _: read(0.01), {}) == "read"
    assert not reads.include(state())
    waiting.eventually(lambda: reads.include(state()), "the event loop reads again")
