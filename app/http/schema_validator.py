"""Validate values against a schema of the document, and report every error with its location.

Not in this module: the error messages (`validation_messages.py`).
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import jsonschema_rs

from app import gtin, networks
from app.http.errors import MAX_DETAILS, Path, pointer
from app.http.validation_messages import AT_LEAST_ONE_OF, EXACTLY_ONE_OF, problems
from app.schemas.errors import ErrorDetail
from app.spec import Document

# Formats that JSON Schema does not define.
FORMATS = {
    "gtin": lambda text: gtin.violation(text) is None,
    "cidr": lambda text: networks.violation(text) is None,
}


class SchemaValidator:
    """A compiled schema, compiled once for each operation."""

    def __init__(self, schema: Document, *, noun: str = "The body", parameter_kinds: Document | None = None) -> None:
        """Initialize with a dereferenced OpenAPI 3.0 schema and, for parameters, their locations, such as `query`.

        `noun` is what messages call the value.
        """
        self._schema = schema
        self._noun = noun
        self._parameter_kinds = parameter_kinds or {}
        self._validator = jsonschema_rs.Draft4Validator(to_json_schema(schema), validate_formats=True, formats=FORMATS)

    def is_valid(self, value: Any) -> bool:
        """Return whether `value` is valid."""
        return self._validator.is_valid(value)

    def errors(self, value: Any) -> list[ErrorDetail]:
        """Return the errors in `value`, at most MAX_DETAILS, in the order of the fields in the document."""
        if self.is_valid(value):
            return []
        errors = [*islice(self._validator.iter_errors(_shortened(value, self._schema)), MAX_DETAILS)]
        mistyped = {tuple(error.instance_path) for error in errors if error.kind.name == "type"}
        errors = [error for error in errors if error.kind.name == "type" or tuple(error.instance_path) not in mistyped]
        found = list(islice((entry for error in errors for entry in self._explain(error)), MAX_DETAILS))
        found.sort(key=lambda entry: entry[0])
        return list(dict.fromkeys(detail for _, detail in found))  # two violated keywords may have the same message

    def _explain(self, error: jsonschema_rs.ValidationError) -> Iterator[tuple[tuple[int, ...], ErrorDetail]]:
        """Yield the details of one error of the library, each with its rank."""
        schema = functools.reduce(_member_schema, error.instance_path, self._schema)
        for path, message, code in problems(error, schema, self._noun):
            yield self._rank(path), ErrorDetail(pointer=self._pointer(path), message=message, code=code)

    def _pointer(self, path: Path) -> str:
        return pointer((self._parameter_kinds[str(path[0])], *path) if self._parameter_kinds else path)

    def _rank(self, path: Path) -> tuple[int, ...]:
        """Return the position of a field in the document; unknown fields come last."""
        schema, rank = self._schema, []
        for step in path:
            names = list(schema.get("properties", {}))
            rank.append(step if isinstance(step, int) else names.index(step) if step in names else len(names))
            schema = _member_schema(schema, step)
        return tuple(rank)


def _shortened(value: Any, schema: Document) -> Any:
    """Truncate lists just above their limit: the error is the same, and the errors of 300,000 items are useless."""
    if isinstance(value, list):
        items = value[: schema.get("maxItems", MAX_DETAILS) + 1]
        return [_shortened(item, schema.get("items", {})) for item in items]
    if isinstance(value, dict):
        return {name: _shortened(member, _member_schema(schema, name)) for name, member in value.items()}
    return value


def _member_schema(schema: Document, step: str | int) -> Document:
    """Return the schema of a member or an item, or an empty schema if the document does not have the member.

    A member that extends a component with `allOf` has the keywords of both.
    """
    member: Document = schema.get("items", {}) if isinstance(step, int) else schema.get("properties", {}).get(step, {})
    for part in member.get("allOf", []):
        member = {**part, **member}
    return member


def to_json_schema(node: Any) -> Any:
    """Rewrite `nullable` of OpenAPI 3.0 as the null type of JSON Schema, and groups of fields as its `allOf`."""
    if isinstance(node, list):
        return [to_json_schema(child) for child in node]
    if not isinstance(node, dict):
        return node
    schema = {key: to_json_schema(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is True:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    if rules := [*_exactly_one(node.get(EXACTLY_ONE_OF, [])), *_at_least_one(node.get(AT_LEAST_ONE_OF, []))]:
        schema["allOf"] = [*schema.get("allOf", []), *rules]
    return schema


def _exactly_one(groups: Iterable[Sequence[str]]) -> Iterator[Document]:
    """Yield for each group the rule that exactly one of its fields is present."""
    for names in groups:
        yield {"oneOf": [{"required": [name]} for name in names]}


def _at_least_one(groups: Iterable[Sequence[str]]) -> Iterator[Document]:
    """Yield for each group the rule that at least one of its fields is present and not null."""
    for names in groups:
        yield {"anyOf": [{"required": [name], "properties": {name: {"not": {"enum": [None]}}}} for name in names]}
