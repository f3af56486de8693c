"""The range of a report: a preset that ends with today, or ends of the caller's own (contract, section 7). All in UTC.

Not here: how a caller writes a moment (`app/schemas/times.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from app.context import Context
from app.errors import InvalidParameterError
from app.queries import tenant
from app.schemas.times import end_of_day
from app.services import orders

DAY = timedelta(days=1)
CUSTOM = "custom"
CREATED = orders.TABLE.c.created_at
FIRST = tenant.select(CREATED).order_by(CREATED).limit(1)


class Preset(StrEnum):
    """A range by its name."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Both ends belong to it. `preset` is `custom` when the caller gave one of them; `label` is for people.

    A range that ends at midnight ends with the day before: only the first millisecond of the next day belongs to it.
    """

    start: datetime
    end: datetime
    preset: str
    label: str

    @property
    def last_day(self) -> date:
        """Return the day that the range ends with."""
        return last_day(self.start, self.end)

    @property
    def day_count(self) -> int:
        """Return how many days the range has."""
        return (self.last_day - self.start.date()).days + 1


def resolve(
    ctx: Context, *, preset: str = Preset.MONTH, start: datetime | None = None, end: datetime | None = None
) -> Range:
    """Return the range of a preset; `start` and `end` each replace its own end alone.

    Raises InvalidParameterError when it would start after it ends.
    """
    today, wanted = ctx.now.date(), Preset(preset)
    last = _cut(end) if end else end_of_day(today)
    first = _cut(start) if start else midnight(_first_day(ctx, wanted, today, last.date()))
    if first > last:
        raise InvalidParameterError("from" if start else "to", "from must not be after to")
    if start or end:
        return Range(start=first, end=last, preset=CUSTOM, label=_between(first.date(), last_day(first, last)))
    return Range(start=first, end=last, preset=wanted, label=_label(wanted, first.date()))


def last_day(start: datetime, end: datetime) -> date:
    """Return the last day between two moments: an end at midnight belongs to the day before, unless it is `start`."""
    return end.date() - DAY if start < end == midnight(end.date()) else end.date()


def midnight(day: date) -> datetime:
    """Return the first moment of a day."""
    return datetime.combine(day, time(), UTC)


def days(first: date, last: date) -> Iterator[date]:
    """Yield every day from the first to the last, both included."""
    for number in range((last - first).days + 1):
        yield first + number * DAY


def _cut(moment: datetime) -> datetime:
    """Cut to the millisecond that is stored and shown."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _first_day(ctx: Context, preset: Preset, today: date, last: date) -> date:
    match preset:
        case Preset.TODAY:
            return today
        case Preset.WEEK:
            return today - today.weekday() * DAY
        case Preset.MONTH:
            return today.replace(day=1)
        case Preset.QUARTER:
            return today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
        case Preset.YEAR:
            return today.replace(month=1, day=1)
    first: datetime | None = ctx.session.execute(FIRST, tenant.params(ctx)).scalar_one_or_none()
    return min(first.date() if first else today, last)


def _label(preset: Preset, first: date) -> str:
    match preset:
        case Preset.TODAY:
            return _date(first)
        case Preset.WEEK:
            return f"Week of {_date(first)}"
        case Preset.MONTH:
            return f"{first:%B} {first.year}"
        case Preset.QUARTER:
            return f"Q{(first.month + 2) // 3} {first.year}"
        case Preset.YEAR:
            return f"{first.year}"
    return "All time"


def _between(first: date, last: date) -> str:
    return _date(first) if first == last else f"{_date(first)} to {_date(last)}"


def _date(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
