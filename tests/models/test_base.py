"""Ids and column types."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite

from models.base import MAX_REMEMBERED, MILLISECOND, Fixed, Instant, new_id

DIALECTS = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]
FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2200-01-01")
TIMES = st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)


def read(kind: TypeDecorator[Any], stored: object, dialect: Any) -> Any:
    """Return a value of the driver as a statement reads it."""
    processor = kind.result_processor(dialect, None)
    return stored if processor is None else processor(stored)


class TestIds:
    @given(TIMES)
    def test_have_the_published_form(self, at: datetime) -> None:
        made = new_id(at)

        assert len(made) == 25
        assert made[0] == "c"
        assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789")

    @given(TIMES, st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=9999)))
    def test_later_ids_sort_later(self, at: datetime, later: timedelta) -> None:
        assert new_id(at) < new_id(at + later)

    def test_are_unique_and_in_order_within_a_millisecond(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        made = [new_id(at) for _ in range(10_000)]

        assert sorted(set(made)) == made

    def test_stay_in_order_while_others_are_generated(self) -> None:
        at = datetime(2026, 1, 2, tzinfo=UTC)
        first = new_id(at)
        for number in range(1, MAX_REMEMBERED):
            new_id(at + number * MILLISECOND)

        assert first < new_id(at) < new_id(at)


class TestTypes:
    @pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
    @given(value=st.decimals(min_value=-(10**9), max_value=10**9, places=2))
    def test_money_is_read_as_it_was_written(self, dialect: object, value: Decimal) -> None:
        money = Fixed(2)
        stored = money.process_bind_param(value, dialect)  # type: ignore[arg-type]

        assert read(money, stored, dialect) == value

    def test_a_third_decimal_place_is_rejected_not_rounded(self) -> None:
        with pytest.raises(ValueError, match="more than 2 places"):
            Fixed(2).process_bind_param(Decimal("0.005"), DIALECTS[0])

    @given(st.datetimes(timezones=st.just(UTC)))
    @example(datetime.max.replace(tzinfo=UTC))
    def test_times_are_read_as_they_were_written_to_the_millisecond(self, at: datetime) -> None:
        for dialect in DIALECTS:
            stored = Instant().process_bind_param(at, dialect)
            back = read(Instant(), stored, dialect)

            assert back is not None
            assert timedelta() <= at - back < timedelta(milliseconds=1)
            assert back.microsecond % 1000 == 0
