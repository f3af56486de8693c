"""The options that several commands share, and the kinds of values they take."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal

import click

from app import config
from app.schemas.times import end_of_day, parse_time


class _Words(click.ParamType[str]):
    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what cannot be stored or shown: bytes that are not UTF-8, control characters."""
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
            self.fail("must be UTF-8 text without control characters.", param, ctx)
        return unicodedata.normalize("NFC", value).strip()


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read an ISO 8601 time; a date alone is its midnight, and no offset means UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f"'{value}' is not an ISO 8601 time like 2027-04-16 or 2027-04-16T14:22:00Z.", param, ctx)

    def parse(self, text: str) -> datetime:
        """Return the moment that `text` stands for. Raises ValueError."""
        return parse_time(text)


class _End(_Moment):
    """The end of a range, as people mean it: a date alone includes the whole day (contract, section 7)."""

    def parse(self, text: str) -> datetime:
        """Return the last millisecond of a day, or the time itself. Raises ValueError."""
        try:
            return end_of_day(date.fromisoformat(text))
        except ValueError:
            return super().parse(text)


class _Number(click.ParamType[Decimal]):
    name = "number"

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read a decimal number in plain digits; which numbers are allowed is the business of a service."""
        if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", str(value)):
            self.fail(f"'{value}' is not a number like 12.50.", param, ctx)
        return Decimal(value)


class _RateLimit(click.ParamType[str]):
    name = "limit"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the limit in the one wording in which it is stored."""
        try:
            return str(config.rate_limit(value))
        except ValueError:
            self.fail(f"'{value}' is not a number of requests per period, like 600/minute.", param, ctx)


class _RateLimitOrDefault(click.ParamType[str | None]):
    name = "limit"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        """Return the limit as RATE_LIMIT does, None for the word `default`: that of the server."""
        return None if value == "default" else RATE_LIMIT.convert(value, param, ctx)


TEXT = _Words()
MOMENT = _Moment()
END = _End()
NUMBER = _Number()
RATE_LIMIT = _RateLimit()
RATE_LIMIT_OR_DEFAULT = _RateLimitOrDefault()

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
limit = click.option(
    "--limit", type=click.IntRange(min=0, max=1_000_000_000), default=50, show_default=True, help="How many; 0 for all."
)
company = click.option("--company", "slug", metavar="SLUG", type=TEXT, required=True, help="The company, by its slug.")
