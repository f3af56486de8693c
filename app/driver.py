"""Statements that skip SQLAlchemy, for responses that cost less than SQLAlchemy does (docs/decisions/0022).

Not in this module: every other statement (`app/queries`, `app/services`), and transactions (`app/db.py`).
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Engine, Select

from app.db import unavailability

Values = Sequence[tuple[object, ...]]


class DriverStatement:
    """A select that the driver executes. Its rows have the values of the driver: on SQLite, a time is a number."""

    def __init__(self, engine: Engine, statement: "Select[tuple[object, ...]]") -> None:
        """Compile `statement`, which has no parameter that is a list."""
        compiled = statement.compile(dialect=engine.dialect)
        self._engine = engine
        self._text = str(compiled)
        self._constants = {name: found.value for name, found in compiled.binds.items() if not found.required}
        self._positions = compiled.positiontup  # None if the driver takes parameters by their names
        self._processors = {
            name: processor
            for name, parameter in compiled.binds.items()
            if (processor := parameter.type.dialect_impl(engine.dialect).bind_processor(engine.dialect))
        }

    def rows(self, parameters: Mapping[str, object]) -> Values | None:
        """Return the rows, or None if the driver fails: the request then takes the usual way, which reports it.

        Raises DatabaseUnavailableError if no connection becomes free.
        """
        try:
            return self._read(self._bound(parameters))
        except self._engine.dialect.loaded_dbapi.Error:
            return None

    def _read(self, bound: object) -> Values:
        with unavailability():
            pooled = self._engine.raw_connection()
        try:
            self._engine.dialect.do_begin(pooled)  # with the settings of every transaction
            return pooled.driver_connection.execute(self._text, bound).fetchall()  # type: ignore[no-any-return, union-attr]
        finally:
            pooled.close()

    def _bound(self, parameters: Mapping[str, object]) -> object:
        """Return the values of the parameters as the driver takes them."""
        processors: Mapping[str, Callable[[object], object]] = self._processors
        given = {**parameters, **self._constants}
        values = {name: processors[name](value) if name in processors else value for name, value in given.items()}
        return values if self._positions is None else [values[name] for name in self._positions]
