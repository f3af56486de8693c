"""When a delivery is retried, and when a webhook is disabled."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery.retry import next_wait, reason_to_disable

NOW = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)
SCHEDULE = (100, 1000)


class TestNextWait:
    @pytest.mark.parametrize(("attempt", "planned"), [(1, 100), (2, 1000)])
    def test_follows_the_schedule_with_jitter(self, attempt: int, planned: int) -> None:
        waits = {next_wait(SCHEDULE, attempt, 500, None, NOW) for _ in range(200)}

        assert len(waits) > 100
        for wait in waits:
            assert wait is not None
            assert 0.8 * planned <= wait.total_seconds() <= 1.2 * planned

    def test_there_is_no_retry_after_the_end_of_the_schedule(self) -> None:
        assert next_wait(SCHEDULE, 3, 500, "10", NOW) is None

    def test_there_is_no_retry_after_410(self) -> None:
        assert next_wait(SCHEDULE, 1, 410, "10", NOW) is None

    @pytest.mark.parametrize(
        ("retry_after", "seconds"),
        [
            ("3600", 3600),
            ("Thu, 16 Apr 2026 15:22:00 GMT", 3600),
            (" 7200 ", 7200),
            ("315360000", 86_400),
            ("9" * 5000, 86_400),
            ("0" * 12 + "3600", 3600),
            ("Thu, 16 Apr 2126 15:22:00 GMT", 86_400),
        ],
    )
    def test_retry_after_lengthens_the_wait_up_to_a_day(self, retry_after: str, seconds: int) -> None:
        assert next_wait(SCHEDULE, 1, 500, retry_after, NOW) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        "retry_after",
        [
            *("0", "000", "-5", "soon", "", "1e9", "٣٦٠٠", "²", "\x00", "3600, 3600", "Thu, 16 Apr 2020 15:22:00 GMT"),
            *("16 Apr 2026 15:22", "Thu, 16 Apr 2026 15:22:00 -0000", "Thu, 16 Apr 0000 15:22:00 GMT"),
            "Mon, 20 Nov 9999999999 12:00:00 +0000",
            f"Mon, 20 Nov {'9' * 4000} 12:00:00 GMT",
            f"Mon, {'9' * 4000} Nov 2026 12:00:00 GMT",
            f"Mon, 20 Nov 2026 {'9' * 4000}:00:00 GMT",
            "Thu, 16 Apr 2026 15:22:00 +99999999999999",
            f"Thu, 16 Apr 2026 15:22:00 +{'9' * 4000}",
            "Thu, 16 Apr 2026 15:22:00 +9900",
            "Thu, 16 Apr -2026 15:22:00 GMT",
        ],
    )
    def test_retry_after_does_not_shorten_the_wait(self, retry_after: str) -> None:
        wait = next_wait(SCHEDULE, 1, 500, retry_after, NOW)

        assert wait is not None
        assert 80 <= wait.total_seconds() <= 120

    @given(
        st.text(max_size=60)
        | st.from_regex(r"Mon, [0-9-]{1,12} Nov [0-9-]{1,12} [0-9:-]{1,12} [+-]?[0-9A-Z]{1,12}", fullmatch=True)
    )
    def test_no_retry_after_is_an_error(self, retry_after: str) -> None:
        wait = next_wait(SCHEDULE, 1, 500, retry_after, NOW)

        assert wait is not None
        assert timedelta(seconds=80) <= wait <= timedelta(days=1)


class TestDisable:
    @pytest.mark.parametrize(
        ("status", "failing_for", "is_disabled"),
        [(410, None, True), (500, None, False), (500, 4.9, False), (500, 5, True), (None, 6, True)],
    )
    def test_after_410_or_five_days(self, status: int | None, failing_for: float | None, *, is_disabled: bool) -> None:
        since = None if failing_for is None else NOW - timedelta(days=failing_for)

        assert (reason_to_disable(status, since, NOW) is not None) is is_disabled
