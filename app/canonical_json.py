"""Canonical JSON (RFC 8785): the one sequence of bytes for a value, which can be hashed."""

from typing import Any

import rfc8785

MAX_EXACT = 2**53 - 1  # whole numbers up to it are exact doubles; all numbers of canonical JSON are doubles


def dumps(value: Any) -> bytes:
    """Return the canonical JSON of a value that was parsed from JSON, in UTF-8.

    Raises ValueError if it has none: a number that no double can represent, half of a surrogate pair, or hundreds of
    nested arrays.
    """
    try:
        return _dumps(value)
    except RecursionError as error:
        raise ValueError("The arrays and objects are nested too deeply.") from error


def _dumps(value: Any) -> bytes:
    try:
        return rfc8785.dumps(value)
    except rfc8785.IntegerDomainError:
        return rfc8785.dumps(_as_doubles(value))


def _as_doubles(value: Any) -> Any:
    """Return a value whose large whole numbers are doubles, as JavaScript parses them. Raises ValueError."""
    match value:
        case dict():
            return {name: _as_doubles(member) for name, member in value.items()}
        case list():
            return [_as_doubles(item) for item in value]
        case int() if abs(value) > MAX_EXACT:
            return _as_double(value)
    return value


def _as_double(number: int) -> float:
    try:
        return float(number)
    except OverflowError as error:
        raise ValueError(f"{str(number)[:20]}… exceeds the range of doubles.") from error
