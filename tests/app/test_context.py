"""app/context.py: the current time, and the time of a change."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.context import Actor, ActorType, Context, later_than, next_time, now
from app.db import Database
from models.base import MILLISECOND

NOW = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)


def context(database: Database, now: datetime) -> Context:
    with database.transaction() as session:
        actor = Actor(type=ActorType.SYSTEM, id="test")
        return Context(session=session, actor=actor, company_id="c1", request_id="r1", now=now)


@pytest.mark.parametrize("start", [NOW, datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)])
def test_the_current_time_is_truncated_to_the_millisecond(monkeypatch: pytest.MonkeyPatch, start: datetime) -> None:
    for milliseconds in range(1_000):
        at = start + milliseconds * MILLISECOND
        for nanoseconds in (0, 999_999):
            since_1970 = int(at.timestamp()) * 10**9 + milliseconds * 10**6 + nanoseconds
            monkeypatch.setattr(time, "time_ns", lambda since_1970=since_1970: since_1970)
            assert now() == at


class TestLaterThan:
    def test_a_change_after_the_last_one_has_the_time_of_the_request(self, database: Database) -> None:
        ctx = context(database, NOW)

        assert later_than(ctx, NOW - MILLISECOND) is ctx

    def test_a_change_in_the_same_millisecond_is_a_millisecond_later(self, database: Database) -> None:
        ctx = context(database, NOW)

        assert later_than(ctx, NOW) == replace(ctx, now=NOW + MILLISECOND)

    def test_a_change_after_one_by_a_clock_that_is_ahead_is_a_millisecond_later(self, database: Database) -> None:
        ahead = NOW + timedelta(minutes=5)

        assert later_than(context(database, NOW), ahead).now == ahead + MILLISECOND

    def test_a_change_of_several_rows_is_later_than_the_last_change_of_each(self, database: Database) -> None:
        ctx = context(database, NOW)

        assert later_than(ctx, NOW - MILLISECOND, NOW + MILLISECOND, NOW).now == NOW + 2 * MILLISECOND

    def test_a_change_of_new_rows_only_has_the_time_of_the_request(self, database: Database) -> None:
        ctx = context(database, NOW)

        assert later_than(ctx) is ctx


def test_the_next_time_is_the_next_that_is_stored() -> None:
    assert next_time(NOW) - NOW == MILLISECOND
