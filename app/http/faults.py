"""The one formatter of the 400 strings: from a broken rule of the document to the words of the contract, section 3.

A schema can word a fault itself: `x-errors` maps a keyword (or `*` for any) to the exact message.
"""

import functools
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import jsonschema_rs

from app.http.errors import MAX_FAULTS, Fault, Path, pointer, shown

Schema = dict[str, Any]

TYPES = {
    "string": "must be a string",
    "number": "must be a number",
    "integer": "must be a whole number",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be an object",
}
FORMATS = {"date-time": "a date or a time in ISO 8601", "date": "a date", "uri": "a URL", "email": "an email address"}


class Rules:
    """A schema of the document made ready to judge: built once for each operation."""

    def __init__(self, schema: Schema, *, kinds: Schema | None = None) -> None:
        """Take a dereferenced schema of OpenAPI 3.0; `kinds` says where each parameter stands."""
        self._schema = schema
        self._kinds = kinds or {}
        self._validator = jsonschema_rs.Draft4Validator(to_json_schema(schema), validate_formats=True)

    def accept(self, value: Any) -> bool:
        """Tell whether nothing is wrong with `value`."""
        return self._validator.is_valid(value)

    def faults(self, value: Any) -> list[Fault]:
        """Return what is wrong with `value`, in the order in which the document lists the fields, up to MAX_FAULTS."""
        if self.accept(value):
            return []
        errors = [*islice(self._validator.iter_errors(_sample(value, self._schema)), MAX_FAULTS)]
        mistyped = {tuple(error.instance_path) for error in errors if error.kind.name == "type"}
        errors = [each for each in errors if each.kind.name == "type" or tuple(each.instance_path) not in mistyped]
        found = list(islice((each for error in errors for each in self._explain(error)), MAX_FAULTS))
        found.sort(key=lambda each: each[0])
        return list(dict.fromkeys(fault for _, fault in found))  # two broken keywords may share their words

    def _explain(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[tuple[int, ...], Fault]]:
        kind, path = error.kind.name, tuple(error.instance_path)
        for place, message in _messages(kind, path, error, self._schema_at(path)):
            yield self._rank(place), Fault(pointer=self._pointer(place), message=message)

    def _pointer(self, path: Path) -> str:
        return pointer((self._kinds[str(path[0])], *path) if self._kinds else path)

    def _schema_at(self, path: Path) -> Schema:
        return functools.reduce(_step, path, self._schema)

    def _rank(self, path: Path) -> tuple[int, ...]:
        """Give the place of a field in the document: unknown ones come last."""
        schema, rank = self._schema, []
        for step in path:
            names = list(schema.get("properties", {}))
            rank.append(step if isinstance(step, int) else names.index(step) if step in names else len(names))
            schema = _step(schema, step)
        return tuple(rank)


def _sample(value: Any, schema: Schema) -> Any:
    """Cut lists just beyond their limit: the fault is the same, and nobody reads those of 300,000 items."""
    if isinstance(value, list):
        return [_sample(each, schema.get("items", {})) for each in value[: schema.get("maxItems", MAX_FAULTS) + 1]]
    if isinstance(value, dict):
        return {name: _sample(each, schema.get("properties", {}).get(name, {})) for name, each in value.items()}
    return value


def _step(schema: Schema, step: str | int) -> Schema:
    """Return the schema of a member; an empty one for a member the document does not know."""
    inner: Schema = schema.get("items", {}) if isinstance(step, int) else schema.get("properties", {}).get(step, {})
    return inner


def _messages(
    kind: str, path: Path, error: jsonschema_rs.ValidationError, schema: Schema
) -> Iterator[tuple[Path, str]]:
    """Yield the place and the words of each fault in one error of the validator."""
    facts: Any = error.kind
    if kind == "required":
        missing = schema.get("properties", {}).get(facts.property, {})
        yield (*path, facts.property), _worded(missing, kind) or f"{shown(facts.property)} is required"
    elif kind == "additionalProperties":
        for name in facts.unexpected:
            yield (*path, name), f"{shown(name)} is not a known field"
    else:
        yield path, _worded(schema, kind) or f"{_field(path)} {_rule(kind, facts, error.instance, schema)}"


def _worded(schema: Schema, kind: str) -> str | None:
    words: dict[str, str] = schema.get("x-errors", {})
    return words.get(kind, words.get("*"))


def _field(path: Path) -> str:
    """Name the field as a caller would: `quantity`, `events[2]`."""
    if not path:
        return "The body"
    names = [step for step in path if isinstance(step, str)]
    name = names[-1] if names else "item"
    return f"{name}[{path[-1]}]" if isinstance(path[-1], int) else name


def _type_rule(instance: Any, schema: Schema) -> str:
    wanted = schema.get("type", "")
    if wanted == "integer" and not isinstance(instance, (float, Decimal)) and not schema.get("x-text"):
        wanted = "number"
    return TYPES.get(wanted, "has the wrong type")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


RULES: dict[str, Callable[[Any], str]] = {
    "minimum": lambda facts: f"must be at least {_number(facts.limit)}",
    "maximum": lambda facts: f"must be at most {_number(facts.limit)}",
    "minLength": lambda facts: f"must be at least {_plural(facts.limit, 'character')}",
    "maxLength": lambda facts: f"must be at most {_plural(facts.limit, 'character')}",
    "minItems": lambda facts: f"must have at least {_plural(facts.limit, 'item')}",
    "maxItems": lambda facts: f"must have at most {_plural(facts.limit, 'item')}",
    "minProperties": lambda facts: f"must have at least {_plural(facts.limit, 'field')}",
    "maxProperties": lambda facts: f"must have at most {_plural(facts.limit, 'field')}",
    "uniqueItems": lambda _: "must not hold the same value twice",
    "multipleOf": lambda facts: f"must have at most {-Decimal(str(facts.multiple_of)).adjusted()} decimal places",
    "format": lambda facts: f"must be {FORMATS.get(facts.format, facts.format)}",
}


def _rule(kind: str, facts: Any, instance: Any, schema: Schema) -> str:
    if kind == "type":
        return _type_rule(instance, schema)
    if kind == "enum":
        return "must be one of " + ", ".join(str(value) for value in schema["enum"] if value is not None)
    return RULES[kind](facts) if kind in RULES else "is not valid"


def _number(limit: Any) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def to_json_schema(node: Any) -> Any:
    """Rewrite `nullable` of OpenAPI 3.0 as the null type that JSON Schema knows."""
    if isinstance(node, list):
        return [to_json_schema(child) for child in node]
    if not isinstance(node, dict):
        return node
    schema = {key: to_json_schema(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is True:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema
