"""Dates and times that callers write (contract, section 5)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from app.errors import QUERY, InvalidTimeError

# Parameters by their Python names, as the document calls them.
TIMES = {"since": "since", "until": "until", "updated_since": "updatedSince", "from": "from", "to": "to"}


def load_times(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return `query` with its times as moments. Raises InvalidTimeError naming the one that is none."""
    return {name: load_time(TIMES[name], value) if name in TIMES else value for name, value in query.items()}


def load_time(name: str, text: str, *, parent: str = QUERY) -> datetime:
    """Read a parameter by its name. Raises InvalidTimeError."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise InvalidTimeError(name, parent=parent) from error


def parse_time(text: str) -> datetime:
    """Read ISO 8601: a date alone is its midnight, a time without an offset is UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def end_of_day(day: date) -> datetime:
    """Return the last millisecond of a day in UTC."""
    return datetime.combine(day, time(23, 59, 59, 999_000), UTC)
