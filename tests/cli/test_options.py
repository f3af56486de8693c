"""The kinds of values that options take."""

from datetime import UTC, datetime
from decimal import Decimal

import click
import pytest

from app.cli import options


class TestTime:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("2100-04-16", datetime(2100, 4, 16, tzinfo=UTC)),
            ("2100-04-16T14:22", datetime(2100, 4, 16, 14, 22, tzinfo=UTC)),
            ("2100-04-16T14:22:00.5", datetime(2100, 4, 16, 14, 22, 0, 500_000, tzinfo=UTC)),
            ("2100-04-16T14:22:00Z", datetime(2100, 4, 16, 14, 22, tzinfo=UTC)),
            ("2100-04-16T14:22:00+02:00", datetime(2100, 4, 16, 12, 22, tzinfo=UTC)),
        ],
    )
    def test_is_converted_to_utc(self, given: str, expected: datetime) -> None:
        time = options.TIME.convert(given, None, None)

        assert time == expected
        assert time.tzinfo is UTC

    @pytest.mark.parametrize(
        "given", ["", "tomorrow", "2100-02-30", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+01:00"]
    )
    def test_anything_else_is_rejected(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="is not an ISO 8601 time"):
            options.TIME.convert(given, None, None)


class TestNumber:
    @pytest.mark.parametrize("given", ["0", "12.50", "-1", "0.000001", "007.5"])
    def test_is_exact(self, given: str) -> None:
        assert options.NUMBER.convert(given, None, None) == Decimal(given)

    @pytest.mark.parametrize(
        "given", ["", "free", "1,50", "1e3", "NaN", "Infinity", ".5", "5.", "1_000", "٣", " 1", "9" * 31]
    )
    def test_anything_else_is_rejected(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="is not a number like"):
            options.NUMBER.convert(given, None, None)

    @pytest.mark.parametrize("given", ["-0", "-0.00"])
    def test_minus_zero_is_zero(self, given: str) -> None:
        assert not options.NUMBER.convert(given, None, None).is_signed()


class TestCount:
    @pytest.mark.parametrize(("given", "expected"), [("0", 0), ("007", 7), ("10", 10), ("-3", -3)])
    def test_is_a_whole_number(self, given: str, expected: int) -> None:
        assert options.Count(-3, 10).convert(given, None, None) == expected

    @pytest.mark.parametrize("given", ["", "x", "1.0", "1_0", " 1", "+1", "\uff11", "\u0663", "9" * 31])
    def test_anything_else_is_rejected(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="is not a whole number"):
            options.Count(-3, 10).convert(given, None, None)

    @pytest.mark.parametrize("given", ["-4", "11"])
    def test_it_has_a_range(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="is not between -3 and 10"):
            options.Count(-3, 10).convert(given, None, None)


class TestRateLimit:
    @pytest.mark.parametrize("given", ["600/minute", "600 per minute", "600/1minute"])
    def test_is_normalized(self, given: str) -> None:
        assert options.RATE_LIMIT.convert(given, None, None) == "600 per 1 minute"

    @pytest.mark.parametrize("given", ["", "fast", "0/minute", "600"])
    def test_anything_else_is_rejected(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="like 600/minute"):
            options.RATE_LIMIT.convert(given, None, None)


class TestText:
    def test_is_trimmed_and_normalized(self) -> None:
        assert options.TEXT.convert(" A\u0308cme ", None, None) == "Äcme"

    @pytest.mark.parametrize("given", ["a\nb", "\x1b[31m", "\udcff"], ids=ascii)
    def test_text_that_cannot_be_stored_or_shown_is_rejected(self, given: str) -> None:
        with pytest.raises(click.BadParameter, match="must be UTF-8 text"):
            options.TEXT.convert(given, None, None)
