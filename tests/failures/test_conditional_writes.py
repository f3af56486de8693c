"""Clients that read, change and write the same resource: with If-Match, no change is lost (contract, section 9.2)."""

import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.support import factories, waiting
from tests.support.client import Client, Contract
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

WRITERS = 20
CHANGES = 3  # of each writer


@pytest.fixture(scope="module")
def clients(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory, contract: Contract
) -> Iterator[list[Client]]:
    """Return clients of two servers with the same database."""
    url, directory = store.create("conditional_writes"), tmp_path_factory.mktemp("conditional_writes")
    with (
        Server(url, directory / "first", "--no-worker") as first,
        Server(url, directory / "second", "--no-worker") as second,
    ):
        database = open_database(url)
        tenant = factories.tenant(database)
        database.dispose()
        with Client(first.url, tenant.key, contract) as one, Client(second.url, tenant.key, contract) as other:
            yield [one, other]
    store.drop(url)


@pytest.fixture
def path(clients: list[Client]) -> str:
    """Return the path of a customer whose notes are a number."""
    created = clients[0].post("/customers", json={"email": f"a{next(factories.COUNTER)}@example.com", "notes": "0"})
    return f"/customers/{created.json()['data']['id']}"


def count(client: Client, path: str) -> int:
    return int(client.get(path).json()["data"]["notes"])


def increment(client: Client, path: str, barrier: threading.Barrier | None, *, has_condition: bool) -> httpx.Response:
    """Read the number, wait until every other writer has read it, and write the next one."""
    read = client.get(path)
    if barrier is not None:
        barrier.wait(waiting.SECONDS)
    headers = {"If-Match": read.headers["ETag"]} if has_condition else {}
    return client.patch(path, json={"notes": str(int(read.json()["data"]["notes"]) + 1)}, headers=headers)


def write_repeatedly(client: Client, path: str, barrier: threading.Barrier) -> list[int]:
    """Make CHANGES changes, each repeated after a new read until it succeeds; return the statuses in their order."""
    statuses = [increment(client, path, barrier, has_condition=True).status_code]
    while statuses.count(200) < CHANGES:
        statuses.append(increment(client, path, None, has_condition=True).status_code)
    return statuses


def test_no_change_is_lost_with_if_match(clients: list[Client], path: str) -> None:
    barrier = threading.Barrier(WRITERS)
    writers = [partial(write_repeatedly, clients[number % 2], path, barrier) for number in range(WRITERS)]

    statuses = waiting.concurrently(*writers)

    assert Counter(found[0] for found in statuses) == {200: 1, 412: WRITERS - 1}  # all had read the same version
    assert {found[-1] for found in statuses} == {200}  # after each 412, the writer reads again and succeeds
    assert {status for found in statuses for status in found} == {200, 412}
    assert count(clients[0], path) == WRITERS * CHANGES


def test_changes_are_lost_without_if_match(clients: list[Client], path: str) -> None:
    barrier = threading.Barrier(WRITERS)
    writers = [partial(increment, clients[number % 2], path, barrier, has_condition=False) for number in range(WRITERS)]

    responses = waiting.concurrently(*writers)

    assert {response.status_code for response in responses} == {200}
    assert count(clients[0], path) == 1
