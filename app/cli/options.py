"""The options that several commands share, and the types of values that options take."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import click

from app import config, networks
from app.schemas.base import stored_code
from app.schemas.times import end_of_day, parse_time

F = TypeVar("F", bound=Callable[..., object])
MAX_COUNT = 1_000_000_000
MAX_QUANTITY = 1_000_000  # of an item of an order
MAX_ORDER_ITEMS = 200
MAX_INTEGER = 2**53 - 1  # the largest number of the document


class _Text(click.ParamType[str]):
    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Reject what cannot be stored or shown: bytes that are not UTF-8, and control characters."""
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
            self.fail("must be UTF-8 text without control characters.", param, ctx)
        return unicodedata.normalize("NFC", value).strip()


class LimitedText(_Text):
    """Text of a limited length."""

    def __init__(self, most: int) -> None:
        """Initialize with the maximum number of characters."""
        self._most = most

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read text of at most that length."""
        text = super().convert(value, param, ctx)
        if len(text) > self._most:
            self.fail(f"must be at most {self._most} characters.", param, ctx)
        return text


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read an ISO 8601 time. A date means midnight at its start, and a time without an offset is in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f"'{value}' is not an ISO 8601 time like 2027-04-16 or 2027-04-16T14:22:00Z.", param, ctx)

    def parse(self, text: str) -> datetime:
        """Return the time that `text` stands for. Raises ValueError."""
        return parse_time(text)


class _EndTime(_Time):
    """The end of a range. A date means the end of that day, so that the range includes it (contract, section 7)."""

    def parse(self, text: str) -> datetime:
        """Return the last millisecond of a date, or the time itself. Raises ValueError."""
        try:
            return end_of_day(date.fromisoformat(text))
        except ValueError:
            return super().parse(text)


class _Number(click.ParamType[Decimal]):
    name = "number"

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read a decimal number in plain digits. The services decide which numbers they accept."""
        if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", str(value)):
            self.fail(f"'{value}' is not a number like 12.50.", param, ctx)
        number = Decimal(value)
        return number.copy_abs() if number.is_zero() else number  # -0 is 0


class Count(click.ParamType[int]):
    """A whole number within a range. Unlike `click.IntRange`, it does not print the range in the help text."""

    name = "count"

    def __init__(self, least: int, most: int) -> None:
        """Initialize with both ends of the range, inclusive."""
        self._least = least
        self._most = most

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a whole number within the range."""
        if not re.fullmatch(r"-?[0-9]{1,30}", str(value)):
            self.fail(f"'{value}' is not a whole number.", param, ctx)
        number = int(value)
        if not self._least <= number <= self._most:
            self.fail(f"{number} is not between {self._least} and {self._most}.", param, ctx)
        return number


class _OrderItem(click.ParamType[tuple[str, int]]):
    name = "item"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read a sku and a quantity. The sku may contain `=` itself."""
        if isinstance(value, tuple):
            return value
        sku, _, quantity = value.rpartition("=")
        sku = stored_code(TEXT.convert(sku, param, ctx))
        if not sku:
            self.fail(f"'{value}' is not a SKU and a quantity like WDG-1=12.", param, ctx)
        return sku, Count(1, MAX_QUANTITY).convert(quantity, param, ctx)


class _Cidr(click.ParamType[str]):
    name = "cidr"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the network in the form in which it is stored."""
        if violation := networks.violation(value):
            self.fail(f"'{value}' {violation}.", param, ctx)
        return str(networks.parse_cidr(value))


class _RateLimit(click.ParamType[str]):
    name = "limit"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the limit in the form in which it is stored."""
        try:
            return str(config.rate_limit(value))
        except ValueError:
            self.fail(f"'{value}' is not a number of requests per period, like 600/minute.", param, ctx)


class _RateLimitOrDefault(click.ParamType[str | None]):
    name = "limit"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        """Return the limit as RATE_LIMIT does, or None for the word `default`: the limit of the server."""
        return None if value == DEFAULT_RATE_LIMIT else RATE_LIMIT.convert(value, param, ctx)


DEFAULT_RATE_LIMIT = "default"
TEXT = _Text()
TIME = _Time()
END_TIME = _EndTime()
ORDER_ITEM = _OrderItem()
NUMBER = _Number()
CIDR = _Cidr()
RATE_LIMIT = _RateLimit()
RATE_LIMIT_OR_DEFAULT = _RateLimitOrDefault()

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
limit = click.option(
    "--limit", type=Count(0, MAX_COUNT), default=50, show_default=True, help="How many to list, 0 for all."
)
customer_filter = click.option("--customer", metavar="EMAIL_OR_ID", type=TEXT, help="Filter by customer.")
external_id_filter = click.option("--external-id", type=TEXT, help="Filter by the id in another system.")
company = click.option("--company", "slug", metavar="SLUG", type=TEXT, required=True, help="The slug of the company.")

STANDARD_OUTPUT = Path("-")
csv_output = click.option(
    "--output",
    "-o",
    "file",
    metavar="FILE.csv",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default=STANDARD_OUTPUT,
    show_default="standard output",
    help="Write to a file.",
)


def status_filter(statuses: type[StrEnum]) -> Callable[[F], F]:
    """Return the option that filters a list by one of these statuses."""
    values = [status.value for status in statuses]
    return click.option(
        "--status", metavar="STATUS", type=click.Choice(values), help=f"Filter by status: {', '.join(values)}."
    )


def time_filters(what: str) -> Callable[[F], F]:
    """Return the options that filter a list by time. `what` is the object of their help, such as 'orders placed'."""

    def decorate(command: F) -> F:
        since = click.option(
            "--since", type=TIME, help=f"Show {what} at or after this time (ISO 8601, UTC by default)."
        )
        until = click.option(
            "--until", type=END_TIME, help=f"Show {what} at or before this time. A date includes that day."
        )
        return since(until(command))

    return decorate
