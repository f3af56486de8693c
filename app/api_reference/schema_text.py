"""Schemas in words: the members of an object with their types and rules, for tables."""

import functools
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass

from app import spec
from app.spec import Document

# Each keyword with the sentence that says its rule.
SENTENCES = {
    "minLength": "Minimum length: {}.",
    "maxLength": "Maximum length: {}.",
    "minItems": "Minimum number of items: {}.",
    "maxItems": "Maximum number of items: {}.",
    "default": "Default: `{}`.",
}
SHOWN_FORMATS = {"date", "date-time", "email", "uri"}  # those of numbers are about their storage


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of an object, at any depth: `items[].productId`. `limits` are what the server checks."""

    name: str
    type: str
    is_required: bool
    description: str
    limits: str


def members(document: Document, node: Document, prefix: str = "") -> Iterator[Member]:
    """Yield the members of a schema, each followed by the members inside it."""
    schema = flat(document, node)
    if schema.get("type") == "array":
        yield from members(document, schema["items"], f"{prefix.removesuffix('.')}[].")
    for name, child in schema.get("properties", {}).items():
        member = flat(document, child)
        yield Member(
            name=prefix + name,
            type=type_of(document, member),
            is_required=name in schema.get("required", []),
            description=described(document, member),
            limits=limits(member),
        )
        yield from members(document, member, f"{prefix}{name}.")


def flat(document: Document, node: Document) -> Document:
    """Return a schema without references and `allOf`. What is said outside of `allOf` overrides what is said inside."""
    schema = spec.resolve(document, node)
    if "allOf" not in schema:
        return schema
    own = {key: value for key, value in schema.items() if key != "allOf"}
    parts = [*(flat(document, part) for part in schema["allOf"]), own]
    return {
        **functools.reduce(operator.or_, parts),
        "required": [name for part in parts for name in part.get("required", [])],
        "properties": functools.reduce(operator.or_, (part.get("properties", {}) for part in parts)),
    }


def type_of(document: Document, node: Document) -> str:
    """Return the type of a schema: `array of string`, `integer or null`."""
    schema = flat(document, node)
    if "anyOf" in schema:
        name = " or ".join(dict.fromkeys(type_of(document, option) for option in schema["anyOf"]))
    elif schema.get("type") == "array":
        name = f"array of {type_of(document, schema['items'])}"
    else:
        name = schema.get("type", "any JSON value")
        name += f" ({schema['format']})" if schema.get("format") in SHOWN_FORMATS else ""
    return f"{name} or null" if schema.get("nullable") else name


def described(document: Document, node: Document) -> str:
    """Return the description of a schema, followed by its values."""
    schema = flat(document, node)
    closed, open_list = (list(_values(document, schema, keyword)) for keyword in ("enum", "x-extensible-enum"))
    texts = [
        schema.get("description", "").strip(),
        f"One of {', '.join(closed)}." if closed else "",
        f"So far one of {', '.join(open_list)}; more can be added." if open_list else "",
    ]
    return " ".join(filter(None, texts))


def limits(schema: Document) -> str:
    """Return the limits of a schema without references."""
    return " ".join(_limits(schema))


def _values(document: Document, node: Document, keyword: str) -> Iterator[str]:
    """Yield the values that a string, or the strings of a list, can have."""
    schema = flat(document, node)
    yield from (f"`{value}`" for value in schema.get(keyword, []) if value is not None)
    for option in [*schema.get("anyOf", []), *([schema["items"]] if schema.get("type") == "array" else [])]:
        yield from _values(document, option, keyword)


def _limits(schema: Document) -> Iterator[str]:
    if "minimum" in schema:
        yield f"{'More than' if schema.get('exclusiveMinimum') else 'Minimum:'} {schema['minimum']}."
    if "maximum" in schema:
        yield f"{'Less than' if schema.get('exclusiveMaximum') else 'Maximum:'} {schema['maximum']}."
    for keyword, sentence in SENTENCES.items():
        if keyword in schema and (keyword, schema[keyword]) != ("minLength", 1):
            yield sentence.format(json.dumps(schema[keyword]).strip('"'))
