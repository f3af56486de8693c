"""Statements as a driver executes them: texts with their parameters, and the functions that read rows.

SQLAlchemy compiles a statement once for each dialect, each set of columns that an INSERT or UPDATE sets, and each
length of its lists. Then binding the parameters and reading the rows take a few calls.

Not in this module: executing (`app/driver.py`), and the types of rows (`app/queries/rows.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.elements import BindParameter, ClauseElement
from sqlalchemy.types import TypeEngine

Parameters = Mapping[str, object]
ColumnType = TypeEngine[Any]
Processor = Callable[[Any], Any]
Tuple = tuple[Any, ...]
Values = Sequence[Tuple]
MAX_KEPT_LENGTH = 512  # of all lists: a longer text is compiled for each execution, because keeping it takes memory


class Columns:
    """The columns of a result: their types, and the functions that read the values of the driver."""

    def __init__(self, types: Sequence[ColumnType], dialect: Dialect, codes: Sequence[object]) -> None:
        """Find the function of each column, None where a value needs none. `codes` are the types of the driver."""
        self.types = types
        self.dialect = dialect
        self.readers: Sequence[Processor | None] = [
            _reader(kind, dialect, code) for kind, code in zip(types, codes, strict=True)
        ]

    def read(self, values: Values) -> Iterable[Tuple]:
        """Return rows with the values that the types of the columns have in Python."""
        return convert(values, self.readers)


class Compiled:
    """A statement as a dialect executes it: the text, and the places of its parameters."""

    def __init__(self, compiler: SQLCompiler, parameters: Parameters) -> None:
        """Prepare the statement for parameters with these names, and for lists of these lengths."""
        state = compiler.construct_expanded_state(parameters)
        self.text = state.statement
        self.types = [column.type for column in getattr(compiler.statement, "exported_columns", ())]
        self._lists = {name: names for name, names in state.parameter_expansion.items() if name in parameters}
        defaults = _defaults(compiler, parameters)
        self._functions = {name: default.arg for name, default in defaults.items() if default.is_callable}
        given = {*parameters, *self._functions, *chain.from_iterable(self._lists.values())}
        constants = {**state.parameters, **{name: default.arg for name, default in defaults.items()}}
        processors = {**_processors(compiler), **state.processors}  # those of the state are for values of lists
        positions = state.positiontup
        self._constants: Any = {} if positions is None else [None] * len(positions)
        self._bound: list[tuple[Any, str, Processor | None]] = []
        places: Iterable[tuple[Any, str]] = zip(state.parameters, state.parameters, strict=True)
        for place, name in places if positions is None else enumerate(positions):
            processor = processors.get(name)
            if name in given:
                self._bound.append((place, name, processor))
            else:
                self._constants[place] = processor(constants[name]) if processor else constants[name]

    def bind(self, parameters: Parameters) -> Any:
        """Return the values of the parameters as the driver takes them: by position, or by name."""
        if self._lists:
            parameters = {**parameters, **self._expanded(parameters)}
        if self._functions:
            found = Defaults(parameters)
            parameters = {**parameters, **{name: default(found) for name, default in self._functions.items()}}
        bound = self._constants.copy()
        for place, name, processor in self._bound:
            bound[place] = parameters[name] if processor is None else processor(parameters[name])
        return bound

    def _expanded(self, parameters: Parameters) -> dict[str, object]:
        """Return a parameter for each value of the lists, and for each part of a value that is a tuple."""
        expanded: dict[str, object] = {}
        for name, names in self._lists.items():
            values: Any = parameters[name]
            flat = chain.from_iterable(values) if len(names) > len(values) else values
            expanded.update(zip(names, flat, strict=True))
        return expanded


class Defaults:
    """What SQLAlchemy passes to a function that returns the default of a column."""

    def __init__(self, parameters: Parameters) -> None:
        """Initialize with the parameters of one row."""
        self._parameters = parameters

    def get_current_parameters(self) -> Parameters:
        """Return the values of the other columns."""
        return self._parameters


class Texts:
    """A statement, and what was compiled from it."""

    def __init__(self, sql: Executable) -> None:
        """Initialize without compiling: the first execution does that, with a dialect that knows its database."""
        assert isinstance(sql, ClauseElement)
        self._sql = sql
        self._sets_columns = isinstance(sql, Insert | Update)
        self._lists: Sequence[str] | None = None
        self._compiled: dict[object, Compiled] = {}

    def find(self, dialect: Dialect, parameters: Parameters) -> tuple[Compiled, Parameters]:
        """Return what a dialect executes with these parameters, and the parameters with padded lists."""
        if self._lists is None:
            self._lists = _lists(self._sql)
        if self._lists:
            parameters = {**parameters, **{name: _padded(parameters[name]) for name in self._lists}}
        lengths = [len(parameters[name]) for name in self._lists]  # type: ignore[arg-type]  # lists
        key = (type(dialect), *lengths, *(parameters if self._sets_columns else ()))
        found = self._compiled.get(key)
        if found is None:
            compiler: Any = self._sql.compile(
                dialect=dialect, column_keys=list(parameters) if self._sets_columns else None
            )
            found = Compiled(compiler, parameters)
            if sum(lengths) <= MAX_KEPT_LENGTH:
                self._compiled[key] = found
        return found, parameters


def convert(values: Values, processors: Iterable[Processor | None]) -> Iterable[Tuple]:
    """Return rows with some columns converted. Whole columns take fewer calls than the values of each row."""
    if not values:
        return values
    if len(values) == 1:
        converted = [value if read is None else read(value) for read, value in zip(processors, values[0], strict=True)]
        return (tuple(converted),)
    columns: list[Iterable[Any]] = list(zip(*values, strict=True))
    for place, processor in enumerate(processors):
        if processor is not None:
            columns[place] = map(processor, columns[place])
    return zip(*columns, strict=False)


def _reader(kind: ColumnType, dialect: Dialect, code: object) -> Processor | None:
    """Return the function that reads the values of a column. Some dialects leave values of some types as texts."""
    read: Processor | None = kind.dialect_impl(dialect).result_processor(dialect, code)
    from_text: Processor | None = getattr(dialect, "text_readers", {}).get(code)
    if from_text is None:
        return read
    if read is None:
        return lambda value: None if value is None else from_text(value)
    return lambda value: None if value is None else read(from_text(value))


def _lists(sql: ClauseElement) -> Sequence[str]:
    """Return the names of the parameters that are lists, which callers give."""
    found = (element for element in visitors.iterate(sql) if isinstance(element, BindParameter))
    return sorted({parameter.key for parameter in found if parameter.expanding and parameter.required})


def _padded(values: Any) -> Sequence[object]:
    """Repeat the last value of a list until it has one of few lengths, so that few texts are compiled and prepared."""
    if not values:
        return values  # type: ignore[no-any-return]  # a list
    return [*values, *[values[-1]] * ((1 << (len(values) - 1).bit_length()) - len(values))]


def _processors(compiler: SQLCompiler) -> dict[str, Processor]:
    """Return the functions that convert the values of parameters for the driver."""
    dialect = compiler.dialect
    found = {name: one.type.dialect_impl(dialect).bind_processor(dialect) for name, one in compiler.binds.items()}
    return {name: processor for name, processor in found.items() if processor}


def _defaults(compiler: SQLCompiler, parameters: Parameters) -> dict[str, Any]:
    """Return the defaults, constants or functions, of the columns that a statement sets without a parameter."""
    left_out = [column for column in compiler.prefetch if column.key not in parameters]
    return {column.key: column.default if compiler.isinsert else column.onupdate for column in left_out}
