"""app/context.py: the time of a change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.context import Actor, ActorType, Context, later_than, next_time
from app.db import Database
from models.base import MILLISECOND

NOW = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)


def context(database: Database, now: datetime) -> Context:
    with database.transaction() as session:
        actor = Actor(type=ActorType.SYSTEM, id="test")
        return Context(session=session, actor=actor, company_id="c1", request_id="r1", now=now)


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
