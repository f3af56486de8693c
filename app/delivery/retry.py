"""When a failed delivery is retried, and when a webhook is disabled (contract, section 8.2). Pure functions.

Example: the default schedule is 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. The first attempt is made
immediately. If it fails, the second follows after 4 to 6 seconds (5 s with jitter), or after 60 seconds if the response
has `Retry-After: 60`. If that fails too, the third follows about 5 minutes later. The tenth attempt comes about 75.6
hours after the first; if it fails, the delivery has failed for good.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

JITTER = 0.2  # fraction by which a wait varies, so that deliveries that failed together are not retried together
MAX_RETRY_AFTER = timedelta(hours=24)  # a receiver cannot ask for more
DISABLED_AFTER = timedelta(days=5)  # without a success, as at Svix
MAX_DIGITS = 9  # any larger number of seconds is above MAX_RETRY_AFTER


def next_wait(
    schedule: Sequence[int], attempt: int, status: int | None, retry_after: str | None, now: datetime
) -> timedelta | None:
    """Return how long to wait after attempt number `attempt` has failed, or None if there is no further attempt.

    `Retry-After` (RFC 9110, section 10.2.3) can extend the wait, up to MAX_RETRY_AFTER, but not shorten it.
    """
    if is_gone(status) or attempt > len(schedule):
        return None
    planned = timedelta(seconds=schedule[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
    return max(planned, min(_requested(retry_after, now), MAX_RETRY_AFTER))


def reason_to_disable(status: int | None, failing_since: datetime | None, now: datetime) -> str | None:
    """Return why a webhook must be disabled after a failure, or None if it stays active."""
    if is_gone(status):
        return "The receiver responded with 410 Gone."
    if failing_since is not None and now - failing_since >= DISABLED_AFTER:
        return f"Every delivery failed for {DISABLED_AFTER.days} days."
    return None


def is_gone(status: int | None) -> bool:
    """Return True if the receiver asks for no further deliveries, neither of this event nor of others."""
    return status == HTTPStatus.GONE


def _requested(retry_after: str | None, now: datetime) -> timedelta:
    """Return the wait of a `Retry-After` in seconds or as a date, or no wait if it is neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return MAX_RETRY_AFTER if len(digits) > MAX_DIGITS else timedelta(seconds=int(digits))
    try:
        return parsedate_to_datetime(text) - now
    except (ValueError, TypeError, ArithmeticError, LookupError):  # all that parsing and subtracting can raise
        return timedelta()
