"""When a delivery that failed is tried again, and when a webhook is given up (contract, section 8.2). No state here."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

GONE = HTTPStatus.GONE
JITTER = 0.2  # a wait is up to this share shorter or longer, so that what failed together does not return together
LONGEST_ASKED = timedelta(hours=24)  # a receiver cannot put us off for longer
GIVEN_UP_AFTER = timedelta(days=5)
MOST_DIGITS = 9  # more seconds than these can count are beyond LONGEST_ASKED


def next_wait(waits: Sequence[int], attempt: int, retry_after: str | None, now: datetime) -> timedelta | None:
    """Return how long to wait after attempt number `attempt` failed, None when it was the last one.

    `Retry-After` (RFC 9110, section 10.2.3) can make the wait longer, up to LONGEST_ASKED, and never shorter.
    """
    if attempt > len(waits):
        return None
    planned = timedelta(seconds=waits[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
    return max(planned, min(_asked(retry_after, now), LONGEST_ASKED))


def reason_to_disable(status: int | None, failing_since: datetime | None, now: datetime) -> str | None:
    """Return why a webhook whose delivery just failed must be switched off, None when it must not."""
    if status == GONE:
        return "The receiver answered 410 Gone."
    if failing_since is not None and now - failing_since >= GIVEN_UP_AFTER:
        return f"Every delivery failed for {GIVEN_UP_AFTER.days} days."
    return None


def _asked(retry_after: str | None, now: datetime) -> timedelta:
    """Read seconds or a date; what is neither asks for nothing, whatever a receiver sends."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return LONGEST_ASKED if len(digits) > MOST_DIGITS else timedelta(seconds=int(digits))
    try:
        return parsedate_to_datetime(text) - now
    except (ValueError, TypeError, ArithmeticError, LookupError):  # all that parsing and counting can raise
        return timedelta()
