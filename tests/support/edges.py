"""Values at the edges of schemas: the smallest and the largest that is allowed, and those next to them."""

import copy
import string
from collections.abc import Iterator
from typing import Any

from app.spec import Document

Path = tuple[str | int, ...]  # of a member: names, and 0 for the items of a list

OTHER_TYPES: tuple[Any, ...] = (None, "", "x", 5, 1.5, True, [], {})
# By a part of the pattern. A text without one of them consists of letters.
PATTERNS = {
    "[Hh][Tt]": ("https://example.com/", ""),
    "@": ("", "@example.com"),
    "[0-9]{8}": ("", "40170725"),
    r"\d{4}": ("2026-01-01", ""),
}


def text(schema: Document, length: int) -> str:
    """Return a text of this length that has the pattern of the schema, if there is one."""
    start, end = next((ends for part, ends in PATTERNS.items() if part in schema.get("pattern", "")), ("", ""))
    filler = " " if end.isdigit() else "A"
    return start + filler * (length - len(start) - len(end)) + end


def sample(schema: Document, number: int = 0) -> Any:
    """Return a value that the schema allows. Texts and numbers differ by `number`."""
    choices = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if choices:
        return sample(choices[0], number)
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            return {name: sample(schema["properties"][name], number) for name in schema.get("required", ())}
        case "array":
            return [sample(schema["items"], number)]
        case "boolean":
            return True
        case _:
            return _number_or_text(schema, number)


def _number_or_text(schema: Document, number: int) -> Any:
    if schema.get("type") in {"integer", "number"}:
        return max(schema.get("minimum", 0), 0) + number
    if schema.get("format") == "cidr":
        return f"127.0.0.{number}/32"
    if "[A-Z]{2}" in schema.get("pattern", ""):
        return "AA"
    return text(schema, 0) or f"{string.ascii_letters[number % 52]}{number}"


def values(schema: Document) -> Iterator[Any]:
    """Yield the values at the edges of a schema, an allowed value, and values of other types."""
    yield sample(schema)
    yield from OTHER_TYPES
    for choice in (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from choice.get("enum", ())
    match schema.get("type"):
        case "string":
            yield from (text(schema, length) for length in _around(schema, "minLength", "maxLength"))
        case "array":
            for length in _around(schema, "minItems", "maxItems"):
                yield [sample(schema["items"], number) for number in range(length)]
        case "integer":
            yield from _around(schema, "minimum", "maximum", lowest=None)
        case "number":
            yield from (round(edge, 2) for edge in _around(schema, "minimum", "maximum", 0.01, None))
            yield 1.005


def _around(schema: Document, lower: str, upper: str, step: float = 1, lowest: int | None = 0) -> Iterator[Any]:
    """Yield each limit of a schema, and the numbers next to it."""
    for limit in (schema[name] for name in (lower, upper) if name in schema):
        yield from (edge for edge in (limit - step, limit, limit + step) if lowest is None or edge >= lowest)


def members(schema: Document, path: Path = ()) -> Iterator[tuple[Path, Document]]:
    """Yield every member of a schema and the items of its lists, with their paths."""
    parts = list(schema.get("properties", {}).items()) + ([(0, schema["items"])] if "items" in schema else [])
    for name, member in parts:
        yield (*path, name), member
        yield from members(member, (*path, name))


def replaced(body: Any, schema: Document, path: Path, value: Any) -> Any:
    """Return a body with another value at a path. Objects and lists above it are added if they are missing."""
    if not path:
        return value
    name, *rest = path
    if name == 0:
        found = body or [sample(schema["items"])]
        return [replaced(found[0], schema["items"], tuple(rest), value), *found[1:]]
    others = {other for group in schema.get("x-exactly-one-of", ()) if name in group for other in group}
    kept = {key: copy.deepcopy(member) for key, member in body.items() if key not in others - {name}}
    member = schema["properties"][name]
    current = kept.get(name)
    kept[name] = replaced(sample(member) if rest and current is None else current, member, tuple(rest), value)
    return kept
