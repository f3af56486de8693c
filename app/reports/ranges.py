"""The range of a report: a preset that ends today, or a start and end from the caller (contract, section 7), in UTC.

Not in this module: how a caller writes a time (`app/schemas/times.py`).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from app.context import Context
from app.errors import InvalidParameterError
from app.queries import tenant
from app.schemas.reports import ReportRange
from app.schemas.times import end_of_day
from app.services import orders

DAY = timedelta(days=1)
CUSTOM = "custom"
CREATED_AT = orders.TABLE.c.created_at
SELECT_FIRST_ORDER_TIME = tenant.select(CREATED_AT).order_by(CREATED_AT).limit(1)


class ReportPreset(StrEnum):
    """The name of a range."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


def resolve(
    ctx: Context, *, preset: str = ReportPreset.MONTH, start: datetime | None = None, end: datetime | None = None
) -> ReportRange:
    """Return the range of a preset. `start` and `end`, if given, replace its start and end.

    Raises InvalidParameterError if the range would start after it ends.
    """
    today, name = ctx.now.date(), ReportPreset(preset)
    last = _to_milliseconds(end) if end else end_of_day(today)
    first = _to_milliseconds(start) if start else midnight(_first_day(ctx, name, today, last.date()))
    if first > last:
        raise InvalidParameterError("from" if start else "to", "from must not be after to")
    if start or end:
        return ReportRange(start=first, end=last, preset=CUSTOM, label=_between(first.date(), last_day(first, last)))
    return ReportRange(start=first, end=last, preset=name, label=_label(name, first.date()))


def last_day(start: datetime, end: datetime) -> date:
    """Return the last day of a range: an end at midnight belongs to the previous day, unless it is also the start."""
    return end.date() - DAY if start < end == midnight(end.date()) else end.date()


def day_count(period: ReportRange) -> int:
    """Return the number of days of a range."""
    return (last_day(period.start, period.end) - period.start.date()).days + 1


def midnight(day: date) -> datetime:
    """Return the time at which a day begins."""
    return datetime.combine(day, time(), UTC)


def days(first: date, last: date) -> Iterator[date]:
    """Yield every day from `first` to `last`, inclusive."""
    for number in range((last - first).days + 1):
        yield first + number * DAY


def _to_milliseconds(at: datetime) -> datetime:
    """Truncate the time to the millisecond, as times are stored and shown."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _first_day(ctx: Context, preset: ReportPreset, today: date, last: date) -> date:
    match preset:
        case ReportPreset.TODAY:
            return today
        case ReportPreset.WEEK:
            return today - today.weekday() * DAY
        case ReportPreset.MONTH:
            return today.replace(day=1)
        case ReportPreset.QUARTER:
            return today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
        case ReportPreset.YEAR:
            return today.replace(month=1, day=1)
    first_order: datetime | None = ctx.session.scalar(SELECT_FIRST_ORDER_TIME, tenant.params(ctx))
    return min(first_order.date() if first_order else today, last)


def _label(preset: ReportPreset, first: date) -> str:
    match preset:
        case ReportPreset.TODAY:
            return _date(first)
        case ReportPreset.WEEK:
            return f"Week of {_date(first)}"
        case ReportPreset.MONTH:
            return f"{first:%B} {first.year}"
        case ReportPreset.QUARTER:
            return f"Q{(first.month + 2) // 3} {first.year}"
        case ReportPreset.YEAR:
            return f"{first.year}"
    return "All time"


def _between(first: date, last: date) -> str:
    return _date(first) if first == last else f"{_date(first)} to {_date(last)}"


def _date(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
