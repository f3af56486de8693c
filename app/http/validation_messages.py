"""The formatter of the messages of a 400: from a violated rule to the wording of the contract (section 3).

A schema can have its own messages. `x-errors` maps a keyword, or `*` for every keyword, to the exact message, and
`x-error-codes` a keyword to the `code` of the response. `x-unknown-fields` of an object maps the name of a field that
it does not have to the message that says what to use instead. `x-exactly-one-of` lists groups of fields that exclude
each other, and `x-at-least-one-of` groups of fields that must not all be absent or null.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import jsonschema_rs

from app import gtin, networks
from app.http.errors import Path, truncated
from app.spec import Document

EXACTLY_ONE_OF = "x-exactly-one-of"
AT_LEAST_ONE_OF = "x-at-least-one-of"
TYPES = {
    "string": "must be a string",
    "number": "must be a number",
    "integer": "must be a whole number",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be an object",
}
VIOLATIONS = {"gtin": gtin.violation, "cidr": networks.violation}  # of the formats of `schema_validator.py`
FORMATS = {"date-time": "a date or a time in ISO 8601", "date": "a date", "uri": "a URL", "email": "an email address"}


class Problem(NamedTuple):
    """A violated rule: the location of the value, the message, and the code if the rule has its own."""

    path: Path
    message: str
    code: str | None = None


def problems(error: jsonschema_rs.ValidationError, schema: Document, noun: str) -> Iterator[Problem]:
    """Yield every problem in an error of the library.

    `schema` is that of the invalid value, and `noun` is what messages call the outermost value: "The body".
    """
    keyword, path = error.kind.name, tuple(error.instance_path)
    facts: Any = error.kind  # its attributes depend on the keyword
    if keyword == "required":
        missing = schema.get("properties", {}).get(facts.property, {})
        message = _own_message(missing, keyword) or f"{truncated(facts.property)} is required"
        yield Problem((*path, facts.property), message, _own_code(missing, keyword))
    elif keyword == "additionalProperties":
        for name in facts.unexpected:
            message = schema.get("x-unknown-fields", {}).get(name)
            yield Problem((*path, name), message or f"{truncated(name)} is not a known field")
    elif keyword in {"oneOf", "anyOf"} and not schema.keys().isdisjoint({EXACTLY_ONE_OF, AT_LEAST_ONE_OF}):
        yield from _wrong_groups(path, schema, error.instance)
    else:
        own = _own_message(schema, keyword)
        message = own or f"{field_name(path, noun)} {_rule(keyword, facts, error.instance, schema)}"
        yield Problem(path, message, _own_code(schema, keyword))


def _wrong_groups(path: Path, schema: Document, instance: Any) -> Iterator[Problem]:
    """Yield every problem of the groups of fields of an object, whichever of them the library has found."""
    for names in schema.get(EXACTLY_ONE_OF, []):
        first, *others = [name for name in names if name in instance] or [None]
        if first is None:
            yield Problem((*path, names[0]), _own_message(schema, EXACTLY_ONE_OF) or _one_is_required(names))
        for name in others:
            yield Problem((*path, name), f"{name} is not allowed together with {first}")
    for names in schema.get(AT_LEAST_ONE_OF, []):
        if all(instance.get(name) is None for name in names):
            yield Problem((*path, names[0]), _one_is_required(names))


def _one_is_required(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last} is required"


def _own_message(schema: Document, keyword: str) -> str | None:
    words: dict[str, str] = schema.get("x-errors", {})
    return words.get(keyword, words.get("*"))


def _own_code(schema: Document, keyword: str) -> str | None:
    codes: dict[str, str] = schema.get("x-error-codes", {})
    return codes.get(keyword)


def field_name(path: Path, noun: str) -> str:
    """Return the name of a field as a client would write it: `quantity`, `events[2]`."""
    if not path:
        return noun
    names = [step for step in path if isinstance(step, str)]
    name = names[-1] if names else "item"
    return f"{name}[{path[-1]}]" if isinstance(path[-1], int) else name


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _number(limit: Any) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


RULES: dict[str, Callable[[Any], str]] = {
    "minimum": lambda facts: f"must be at least {_number(facts.limit)}",
    "maximum": lambda facts: f"must be at most {_number(facts.limit)}",
    "minLength": lambda facts: f"must be at least {_plural(facts.limit, 'character')}",
    "maxLength": lambda facts: f"must be at most {_plural(facts.limit, 'character')}",
    "minItems": lambda facts: f"must have at least {_plural(facts.limit, 'item')}",
    "maxItems": lambda facts: f"must have at most {_plural(facts.limit, 'item')}",
    "minProperties": lambda facts: f"must have at least {_plural(facts.limit, 'field')}",
    "maxProperties": lambda facts: f"must have at most {_plural(facts.limit, 'field')}",
    "uniqueItems": lambda _: "must not contain duplicates",
    "multipleOf": lambda facts: f"must have at most {-Decimal(str(facts.multiple_of)).adjusted()} decimal places",
    "format": lambda facts: f"must be {FORMATS.get(facts.format, facts.format)}",
}


def _rule(keyword: str, facts: Any, instance: Any, schema: Document) -> str:
    if keyword == "type":
        return _type_rule(instance, schema)
    if keyword == "format" and facts.format in VIOLATIONS:
        return VIOLATIONS[facts.format](instance) or "is not valid"
    if keyword == "enum":
        return "must be one of " + ", ".join(str(value) for value in schema["enum"] if value is not None)
    return RULES[keyword](facts) if keyword in RULES else "is not valid"


def _type_rule(instance: Any, schema: Document) -> str:
    expected = schema.get("type", "")
    if expected == "integer" and not isinstance(instance, (float, Decimal)) and not schema.get("x-text"):
        expected = "number"
    return TYPES.get(expected, "has the wrong type")
