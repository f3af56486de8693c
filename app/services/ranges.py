"""The time a report is about (contract, section 7): a preset, or ends of one's own. All in UTC."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.errors import InvalidParameterError

DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
CUSTOM = "custom"


class Preset(StrEnum):
    """Which time up to the end of today."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From `start` to `end`, both of them included; `preset` is CUSTOM when one of them was given."""

    start: datetime
    end: datetime
    preset: str
    label: str


def find(
    now: datetime, preset: Preset, *, start: datetime | None, end: datetime | None, first: datetime | None
) -> Range:
    """Return the range of `preset` with its ends replaced by those that are given.

    `first` is when the first order was placed, None when there is none: `all` begins with its day.
    Raises InvalidParameterError when the range ends before it begins.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = start or _start(today, preset, first)
    ends = end or today + DAY - MILLISECOND
    if begins > ends:
        raise InvalidParameterError("from", "from must not be after to")
    if start or end:
        return Range(start=begins, end=ends, preset=CUSTOM, label=f"{_day(begins)} to {_day(ends)}")
    return Range(start=begins, end=ends, preset=preset, label=_label(begins, preset))


def _start(today: datetime, preset: Preset, first: datetime | None) -> datetime:
    match preset:
        case Preset.TODAY:
            return today
        case Preset.WEEK:
            return today - today.weekday() * DAY
        case Preset.MONTH:
            return today.replace(day=1)
        case Preset.QUARTER:
            return today.replace(month=_quarter(today) * 3 - 2, day=1)
        case Preset.YEAR:
            return today.replace(month=1, day=1)
        case Preset.ALL:
            return min(first or today, today).replace(hour=0, minute=0, second=0, microsecond=0)


def _label(begins: datetime, preset: Preset) -> str:
    match preset:
        case Preset.TODAY:
            return _day(begins)
        case Preset.WEEK:
            return f"Week of {_day(begins)}"
        case Preset.MONTH:
            return f"{begins:%B %Y}"
        case Preset.QUARTER:
            return f"Q{_quarter(begins)} {begins.year}"
        case Preset.YEAR:
            return str(begins.year)
        case Preset.ALL:
            return "All time"


def _quarter(moment: datetime) -> int:
    return (moment.month + 2) // 3


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
