"""Dates and times in requests (contract, section 5)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from app.errors import QUERY, InvalidTimeError

# Query parameters with a time: the Python name and the name in the document.
TIME_PARAMETERS = {"since": "since", "until": "until", "updated_since": "updatedSince", "from": "from", "to": "to"}


def load_times(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return `query` with its times parsed. Raises InvalidTimeError with the name of an invalid one."""
    times = {name: load_time(TIME_PARAMETERS[name], query[name]) for name in query.keys() & TIME_PARAMETERS.keys()}
    return {**query, **times}


def load_time(name: str, text: str, *, parent: str = QUERY) -> datetime:
    """Parse the time of a parameter or member. Raises InvalidTimeError with its name."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise InvalidTimeError(name, parent=parent) from error


def parse_time(text: str) -> datetime:
    """Parse ISO 8601. A date means midnight at its start, and a time without an offset is in UTC. Raises ValueError."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def end_of_day(day: date) -> datetime:
    """Return the last millisecond of a day in UTC."""
    return datetime.combine(day, time(23, 59, 59, 999_000), UTC)
