"""Selects that skip SQLAlchemy, for responses that cost less than SQLAlchemy does (docs/decisions/0022).

Not in this module: every other statement (`app/queries`, `app/services`), and transactions (`app/db.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, Select

from app.db import unavailability
from models.base import Instant, Milliseconds

Values = Sequence[tuple[object, ...]]


class DriverSelect:
    """A select that the driver executes. Its rows have the values of the driver, and times as milliseconds."""

    def __init__(self, engine: Engine, statement: "Select[tuple[object, ...]]") -> None:
        """Compile `statement`, which has no parameter that is a list."""
        columns = [Milliseconds(one) if isinstance(one.type, Instant) else one for one in statement.selected_columns]
        compiled = statement.with_only_columns(*columns, maintain_column_froms=True).compile(dialect=engine.dialect)
        self._engine = engine
        self._text = str(compiled)
        self._constants = {name: found.value for name, found in compiled.binds.items() if not found.required}
        self._positions = compiled.positiontup  # None if the driver takes parameters by their names
        self._processors = {
            name: processor
            for name, parameter in compiled.binds.items()
            if (processor := parameter.type.dialect_impl(engine.dialect).bind_processor(engine.dialect))
        }
        # PostgreSQL: BEGIN, the select and ROLLBACK are one message instead of three. SQLite needs no transaction.
        self._read: Callable[[Any, str, Any], Values] = getattr(engine.dialect, "read_at_once", _read)
        self._without_ping = getattr(engine.dialect, "without_ping", nullcontext)

    def rows(self, parameters: Mapping[str, object]) -> Values | None:
        """Return the rows, or None if the driver fails: the request then takes the usual way, which reports it.

        Raises DatabaseUnavailableError if no connection becomes free.
        """
        try:
            with unavailability(), self._without_ping():
                pooled = self._engine.raw_connection()
            return self._execute(pooled, self._bound(parameters))
        except self._engine.dialect.loaded_dbapi.Error:
            return None

    def _execute(self, pooled: PoolProxiedConnection, bound: object) -> Values:
        try:
            return self._read(pooled.driver_connection, self._text, bound)
        except self._engine.dialect.loaded_dbapi.Error:
            pooled.invalidate()  # it may be lost: nothing has tested it
            raise
        finally:
            pooled.close()

    def _bound(self, parameters: Mapping[str, object]) -> object:
        """Return the values of the parameters as the driver takes them."""
        processors: Mapping[str, Callable[[object], object]] = self._processors
        given = {**parameters, **self._constants}
        values = {name: processors[name](value) if name in processors else value for name, value in given.items()}
        return values if self._positions is None else [values[name] for name in self._positions]


def _read(connection: Any, text: str, parameters: Any) -> Values:
    rows: Values = connection.execute(text, parameters).fetchall()
    return rows
