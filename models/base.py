"""What all tables share: constraint names, ids, and column types that have the same meaning on both databases.

Not in this module: engines and sessions (`app/db.py`).
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Dialect, MetaData, Numeric, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

ID_LENGTH = 25
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MAX_REMEMBERED = 256  # milliseconds whose last id is remembered
_lock = threading.Lock()
_last_numbers: dict[int, int] = {}  # the random part of the last id of a millisecond


def new_id(now: datetime) -> str:
    """Generate an id: `c`, nine characters of `now` in milliseconds, and fifteen random ones (76 bits).

    Ids sort by time, which keeps their indexes compact. This includes ids that one process generates within the same
    millisecond, so that the rows of a request stay in order.
    """
    milliseconds = (now - EPOCH) // MILLISECOND
    with _lock:
        last = _last_numbers.get(milliseconds)
        number = secrets.randbits(76) if last is None else last + 1 + secrets.randbits(48)
        if last is None and len(_last_numbers) >= MAX_REMEMBERED:
            del _last_numbers[next(iter(_last_numbers))]  # the oldest
        _last_numbers[milliseconds] = number
    return _time_prefix(milliseconds) + _base36(number, 15)


def id_before(at: datetime) -> str:
    """Return a text that sorts before every id generated at `at` or later, and after all earlier ids."""
    return _time_prefix((at - EPOCH) // MILLISECOND)


@lru_cache(MAX_REMEMBERED)
def _time_prefix(milliseconds: int) -> str:
    """Return the part of an id that all ids of a millisecond share."""
    return "c" + _base36(milliseconds, 9)


def _base36(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, remainder = divmod(number, 36)
        characters.append(ALPHABET[remainder])
    return "".join(reversed(characters))


class Instant(TypeDecorator[datetime]):
    """A time in UTC, to the millisecond: `timestamptz(3)` on PostgreSQL, milliseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True, precision=3))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """Truncate to the millisecond, so that a value equals what was stored."""
        if value is None:
            return None
        return (value - EPOCH) // MILLISECOND if self.is_number(dialect) else self.truncated(value)

    @staticmethod
    def truncated(value: datetime) -> datetime:
        """Return a time as it is read after it was written: in UTC, to the millisecond."""
        return EPOCH + (value - EPOCH) // MILLISECOND * MILLISECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:  # noqa: ARG002 - the library's signature
        """Return a function that reads a value as an aware datetime in UTC, None if the driver does."""
        return _from_milliseconds if self.is_number(dialect) else None

    def is_number(self, dialect: Dialect) -> bool:
        """Return whether the driver gives milliseconds instead of a datetime."""
        return dialect.name != "postgresql"


def _from_milliseconds(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + value * MILLISECOND


class NextMillisecond(FunctionElement[datetime]):
    """A millisecond after an Instant."""

    type = Instant()
    inherit_cache = True


@compiles(NextMillisecond)
def _next_millisecond(element: NextMillisecond, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} + INTERVAL '1 millisecond')"


@compiles(NextMillisecond, "sqlite")
def _next_millisecond_of_sqlite(element: NextMillisecond, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} + 1)"


class Milliseconds(FunctionElement[int]):
    """The milliseconds of an Instant since 1970, as SQLite stores it."""

    type = BigInteger()
    inherit_cache = True


@compiles(Milliseconds)
def _milliseconds(element: Milliseconds, compiler: SQLCompiler, **options: Any) -> str:
    return f"floor(EXTRACT(epoch FROM {compiler.process(element.clauses, **options)}) * 1000)::bigint"


@compiles(Milliseconds, "sqlite")
def _milliseconds_of_sqlite(element: Milliseconds, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


class Fixed(TypeDecorator[Decimal]):
    """A decimal with `scale` places: `numeric` on PostgreSQL, a whole number of the smallest unit on SQLite.

    SQLite would store a decimal as a binary float, which money must never become.
    """

    impl = BigInteger
    cache_ok = True

    def __init__(self, scale: int) -> None:
        """Create the type with `scale` decimal places."""
        super().__init__()
        self.scale = scale
        self._unit = Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of the database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(14, self.scale))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | int | None:
        """Convert a value. Raises ValueError if it has more places than the column: services round, columns do not."""
        if value is None:
            return None
        exact = self.exact(value)
        return int(exact.scaleb(self.scale)) if self.is_number(dialect) else exact

    def exact(self, value: Decimal) -> Decimal:
        """Return a value as it is read after it was written: with the scale of the column. Raises ValueError."""
        exact = Decimal(value).quantize(self._unit)
        if exact != value:
            raise ValueError(f"{value} has more than {self.scale} places.")
        return exact

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Decimal | None] | None:  # noqa: ARG002 - the library's signature
        """Return a function that gives a value its scale, None if the driver does."""
        if not self.is_number(dialect):
            return None
        return lambda value: None if value is None else Decimal(value).scaleb(-self.scale)

    def is_number(self, dialect: Dialect) -> bool:
        """Return whether the driver gives a whole number of the smallest unit instead of a Decimal."""
        return dialect.name != "postgresql"


# Compared and sorted by code point on both databases: a locale would only make the index slower.
Id = String(ID_LENGTH).with_variant(postgresql.VARCHAR(ID_LENGTH, collation="C"), "postgresql")
Money = Fixed(2)
Rate = Fixed(6)  # 0.08 is 8 percent
CENT = Decimal("0.01")
MAX_AMOUNT = Decimal("999999999999.99")


class Base(DeclarativeBase):
    """The declarative base. Constraint names are derived, so that revisions can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, sort_order=-1)


def table(model: type[Base]) -> Table:
    """Return the table of a model, for statements that return rows instead of objects."""
    return Base.metadata.tables[model.__tablename__]


def defaults(source: Table, names: Iterable[str]) -> dict[str, Any]:
    """Return the value that each column gets when a new row does not set it, None for a column without a default."""
    return {name: getattr(source.c[name].default, "arg", None) for name in names}
