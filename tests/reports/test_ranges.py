"""The ends and the label of each preset, and of ends that the caller gives."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app.db import Database
from app.errors import InvalidParameterError
from app.reports import ranges
from app.schemas.reports import ReportRange
from tests.reports.conftest import EDGES, MILLISECOND, company

NOW = datetime(2026, 4, 17, 14, 22, 5, 123_000, UTC)  # a Friday
END_OF_TODAY = datetime(2026, 4, 17, 23, 59, 59, 999_000, UTC)


@pytest.mark.parametrize(
    ("preset", "start", "label"),
    [
        ("today", date(2026, 4, 17), "17 April 2026"),
        ("week", date(2026, 4, 13), "Week of 13 April 2026"),
        ("month", date(2026, 4, 1), "April 2026"),
        ("quarter", date(2026, 4, 1), "Q2 2026"),
        ("year", date(2026, 1, 1), "2026"),
        ("all", date(2024, 2, 29), "All time"),
    ],
)
def test_a_preset_ends_today(database: Database, preset: str, start: date, label: str) -> None:
    with company(database, [{"created_at": EDGES[4], "total": Decimal(1)}], now=NOW) as (ctx, _):
        period = ranges.resolve(ctx, preset=preset)

    assert period == ReportRange(start=ranges.midnight(start), end=END_OF_TODAY, preset=preset, label=label)


@pytest.mark.parametrize(
    ("now", "preset", "start"),
    [
        (datetime(2024, 2, 29, 23, 59, 59, 999_000, UTC), "month", date(2024, 2, 1)),
        (datetime(2025, 1, 1, tzinfo=UTC), "year", date(2025, 1, 1)),
        (datetime(2025, 1, 1, tzinfo=UTC), "week", date(2024, 12, 30)),
        (datetime(2024, 12, 31, 23, tzinfo=UTC), "quarter", date(2024, 10, 1)),
        (datetime(2024, 4, 1, tzinfo=UTC), "quarter", date(2024, 4, 1)),
        (datetime(2024, 4, 7, tzinfo=UTC), "week", date(2024, 4, 1)),
        (datetime(2024, 4, 8, tzinfo=UTC), "week", date(2024, 4, 8)),
        (datetime(2024, 4, 8, 9, tzinfo=UTC), "all", date(2024, 4, 8)),
    ],
)
def test_a_preset_begins_with_its_first_day_in_the_calendar(
    database: Database, now: datetime, preset: str, start: date
) -> None:
    with company(database, [], now=now) as (ctx, _):
        assert ranges.resolve(ctx, preset=preset).start == ranges.midnight(start)


def test_a_given_end_replaces_one_end_of_the_preset(database: Database) -> None:
    with company(database, [], now=NOW) as (ctx, _):
        later = ranges.resolve(ctx, start=datetime(2026, 4, 10, tzinfo=UTC))
        earlier = ranges.resolve(ctx, preset="year", end=datetime(2026, 2, 1, tzinfo=UTC))

    assert (later.start.day, later.end, later.preset) == (10, END_OF_TODAY, "custom")
    assert later.label == "10 April 2026 to 17 April 2026"
    assert (earlier.start, earlier.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize("now", [NOW, datetime(2020, 1, 1, tzinfo=UTC)])
def test_all_time_may_end_before_the_first_order(database: Database, now: datetime) -> None:
    with company(database, [{"created_at": EDGES[4], "total": Decimal(1)}], now=now) as (ctx, _):
        period = ranges.resolve(ctx, preset="all", end=datetime(2019, 5, 6, 7, tzinfo=UTC))

    assert period.start == datetime(2019, 5, 6, tzinfo=UTC)
    assert period.label == "6 May 2019"


def test_all_time_begins_today_when_the_first_order_is_later(database: Database) -> None:
    with company(database, [{"created_at": NOW + timedelta(days=2), "total": Decimal(1)}], now=NOW) as (ctx, _):
        assert ranges.resolve(ctx, preset="all").start == ranges.midnight(NOW.date())


def test_a_range_that_starts_after_it_ends_names_the_end_that_was_given(database: Database) -> None:
    with company(database, [], now=NOW) as (ctx, _):
        with pytest.raises(InvalidParameterError, match="from must not be after to") as caught:
            ranges.resolve(ctx, start=END_OF_TODAY + MILLISECOND)
        assert caught.value.pointer == "/query/from"
        with pytest.raises(InvalidParameterError, match="from must not be after to") as caught:
            ranges.resolve(ctx, end=datetime(2026, 3, 31, tzinfo=UTC))
        assert caught.value.pointer == "/query/to"
        assert ranges.resolve(ctx, start=END_OF_TODAY).label == "17 April 2026"
