"""The order of writes to SQLite: which requests share a commit, and what each client receives."""

import asyncio
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from app.commit_group import CommitGroup
from app.context import now
from app.db import Database
from app.errors import DatabaseUnavailableError, TooLargeError
from app.http import write_lane
from app.http.write_lane import WriteLane
from models import Company
from tests.support import waiting

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

LOSE = """
    CREATE TRIGGER lose BEFORE INSERT ON companies WHEN NEW.slug = 'lost'
    BEGIN SELECT RAISE(ROLLBACK, 'lost'); END
"""
Run = Callable[[CommitGroup], Any]


class Lane:
    """A lane whose first request waits until the others have queued."""

    def __init__(self, database: Database, *, group_seconds: float = waiting.SECONDS) -> None:
        assert database.new_group is not None
        self.queue = WriteLane(database.new_group, group_seconds=group_seconds)
        self._database = database
        self._may_begin = threading.Event()
        self.groups: list[CommitGroup] = []

    def run(self, *runs: Run, alone: int | None = None) -> list[Any]:
        """Queue every request before the first one ends; return their responses or exceptions."""

        async def run_all() -> list[Any]:
            calls: list[Run] = [self._wait, *runs]
            results = [
                asyncio.ensure_future(self.queue.run(call, is_alone=number == alone, seconds=waiting.SECONDS))
                for number, call in enumerate(calls, -1)
            ]
            await asyncio.sleep(0)  # each of them queues
            self._may_begin.set()
            return await asyncio.gather(*results, return_exceptions=True)

        try:
            return asyncio.run(run_all())[1:]
        finally:
            self.queue.stop()

    def insert(self, slug: str) -> Run:
        """Return a request that inserts a company, and returns its slug."""

        def run(group: CommitGroup) -> str:
            self.groups.append(group)
            with self._database.transaction(write=True, group=group) as session:
                session.add(Company(id=str(uuid.uuid4()), slug=slug, name=slug, created_at=now()))
            return slug

        return run

    def group_sizes(self) -> list[int]:
        """Return how many of the requests that insert were in each group."""
        return [len(list(members)) for _, members in itertools.groupby(self.groups, id)]

    def _wait(self, _group: CommitGroup) -> None:
        assert self._may_begin.wait(waiting.SECONDS)


@pytest.fixture
def lane(fresh_database: Database) -> Iterator[Lane]:
    lane = Lane(fresh_database)
    yield lane
    lane.queue.stop()


def slugs(database: Database) -> set[str]:
    with database.transaction() as session:
        return set(session.scalars(sa.select(Company.slug)))


def refuse(_group: CommitGroup) -> str:
    raise TooLargeError


def test_requests_that_have_queued_share_a_commit(fresh_database: Database, lane: Lane) -> None:
    assert lane.run(*[lane.insert(slug) for slug in "abcd"]) == list("abcd")
    assert lane.group_sizes() == [4]
    assert slugs(fresh_database) == set("abcd")


def test_a_response_follows_the_commit(fresh_database: Database, lane: Lane) -> None:
    async def respond() -> set[str]:
        await lane.queue.run(lane.insert("a"), is_alone=False, seconds=waiting.SECONDS)
        return slugs(fresh_database)

    assert asyncio.run(respond()) == {"a"}


@pytest.mark.parametrize("fails", ["before", "inside"])
def test_a_request_that_fails_leaves_the_others(fresh_database: Database, lane: Lane, fails: str) -> None:
    failing = refuse if fails == "before" else lane.insert("a")  # its slug is taken

    first, failed, last = lane.run(lane.insert("a"), failing, lane.insert("b"))

    assert (first, last) == ("a", "b")
    assert isinstance(failed, Exception)
    assert slugs(fresh_database) == {"a", "b"}


def test_a_group_that_is_lost_fails_every_request_in_it_and_no_later_one(fresh_database: Database, lane: Lane) -> None:
    with fresh_database.connection() as connection:
        connection.execute(sa.text(LOSE))

    refused, one, lost, later = lane.run(refuse, lane.insert("a"), lane.insert("lost"), lane.insert("b"))

    assert isinstance(refused, TooLargeError)  # it had no transaction
    assert isinstance(one, DatabaseUnavailableError)
    assert isinstance(lost, DatabaseUnavailableError)
    assert later == "b"
    assert slugs(fresh_database) == {"b"}


def test_a_refusal_in_a_group_that_is_lost_is_not_sent(fresh_database: Database, lane: Lane) -> None:
    """It may be due to a change that was lost with the group."""
    with fresh_database.connection() as connection:
        connection.execute(sa.text(LOSE))

    results = lane.run(lane.insert("a"), lane.insert("a"), lane.insert("lost"))

    assert [type(result) for result in results] == [DatabaseUnavailableError] * 3


def test_a_bulk_request_has_a_group_for_itself(fresh_database: Database, lane: Lane) -> None:
    assert lane.run(*[lane.insert(slug) for slug in "abcde"], alone=2) == list("abcde")
    assert lane.group_sizes() == [2, 1, 2]


def test_a_group_has_at_most_so_many_members(lane: Lane) -> None:
    runs = [constant(number) for number in range(write_lane.MAX_MEMBERS + 5)]
    groups: list[CommitGroup] = []

    assert lane.run(*[recording(run, groups) for run in runs]) == list(range(write_lane.MAX_MEMBERS + 5))
    sizes = [len(list(members)) for _, members in itertools.groupby(groups, id)]
    assert sizes == [write_lane.MAX_MEMBERS - 1, 6]  # the request that waits is a member, too


def test_a_group_accepts_no_more_requests_after_a_while(fresh_database: Database) -> None:
    lane = Lane(fresh_database, group_seconds=1e-9)

    assert lane.run(*[lane.insert(slug) for slug in "abc"]) == ["a", "b", "c"]
    assert lane.group_sizes() == [1, 1, 1]


def test_a_request_whose_client_no_longer_waits_is_not_executed(fresh_database: Database, lane: Lane) -> None:
    may_begin = threading.Event()

    async def run() -> str:
        first = lane.queue.run(lambda _: may_begin.wait(waiting.SECONDS), is_alone=False, seconds=waiting.SECONDS)
        running = asyncio.ensure_future(first)
        await asyncio.sleep(0)  # it has queued
        with pytest.raises(TimeoutError):
            await lane.queue.run(lane.insert("late"), is_alone=False, seconds=0)
        may_begin.set()
        assert await running
        return await lane.queue.run(lane.insert("next"), is_alone=False, seconds=waiting.SECONDS)

    assert asyncio.run(run()) == "next"
    assert slugs(fresh_database) == {"next"}


def test_stop_waits_for_the_requests_that_have_queued(fresh_database: Database, lane: Lane) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await lane.queue.run(insert_slowly, is_alone=False, seconds=0.01)

    def insert_slowly(group: CommitGroup) -> None:
        may_end.wait(waiting.SECONDS)
        lane.insert("a")(group)

    may_end = threading.Event()
    asyncio.run(run())
    threading.Timer(0.01, may_end.set).start()
    lane.queue.stop()

    assert slugs(fresh_database) == {"a"}


def constant(number: int) -> Run:
    return lambda _group: number


def recording(run: Run, groups: list[CommitGroup]) -> Run:
    def recorded(group: CommitGroup) -> Any:
        groups.append(group)
        return run(group)

    return recorded
