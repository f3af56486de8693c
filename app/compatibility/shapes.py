"""What a schema allows, without references and compositions: the form in which schemas are compared.

A schema is given as the tuple of all schemas that apply, so `allOf` and several definitions of a member need no other
form. Schemas of OpenAPI 3.0 and of JSON Schema 2020-12 have the same shapes.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from app.spec import Document, SpecError

Schemas = tuple[Document, ...]

NULL = "null"
TYPE_NAMES = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
    type(None): NULL,
}
JSON_TYPES = frozenset(TYPE_NAMES.values())
LOWER = {"minimum": "exclusiveMinimum", "minLength": "", "minItems": "", "minProperties": ""}
UPPER = {"maximum": "exclusiveMaximum", "maxLength": "", "maxItems": "", "maxProperties": ""}
EXACTLY_ONE, AT_LEAST_ONE = "exactly one of", "at least one of"
GROUP_RULES = {"x-exactly-one-of": EXACTLY_ONE, "x-at-least-one-of": AT_LEAST_ONE}
OPEN_LIST = "x-extensible-enum"
TEXTS = ("pattern", "format", "multipleOf")
# An alternative with nothing else is a list of values, or what an open list allows in addition.
OF_TEXTS = {"type", "nullable", "enum", "const", "title", "description", "minLength", "maxLength", "pattern", "format"}


@dataclass(slots=True)
class Shape:
    """The rules that a value has to satisfy. Values are JSON texts; None means any value."""

    types: frozenset[str] = JSON_TYPES
    values: frozenset[str] | None = None
    known_values: frozenset[str] = frozenset()  # of an open list: others are allowed
    excluded: frozenset[str] = frozenset()
    lower: dict[str, tuple[float, bool]] = field(default_factory=dict)  # a limit, and whether it is exclusive
    upper: dict[str, tuple[float, bool]] = field(default_factory=dict)  # a limit, and whether it is inclusive
    texts: dict[str, frozenset[str]] = field(default_factory=dict)
    has_unique_items: bool = False
    groups: frozenset[tuple[str, tuple[str, ...]]] = frozenset()  # of members: exactly or at least one of them
    members: dict[str, Schemas] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    is_closed: bool = False
    others: Schemas = ()  # the schemas of members without a name
    items: Schemas = ()
    default: str | None = None

    @property
    def allowed(self) -> frozenset[str] | None:
        """The values that are allowed, or None if it is not a list."""
        return None if self.values is None else self.values - self.excluded


class Shapes:
    """The shapes of the schemas of one document."""

    def __init__(self, document: Document) -> None:
        """Initialize with the bundled document."""
        self._components = document.get("components", {})
        self._parsed: dict[tuple[int, ...], Shape] = {}

    def resolve(self, node: Document) -> Document:
        """Follow the references of an object that is not a schema."""
        while "$ref" in node:
            node = self._target(node["$ref"])
        return node

    def alternatives(self, schemas: Sequence[Document]) -> list[tuple[str, Schemas]]:
        """Return the label of each alternative of a value, and all schemas that apply to it; one without `oneOf`."""
        parts = tuple(self._parts(schemas))
        groups = [group for part in parts for name in ("oneOf", "anyOf") if (group := part.get(name))]
        choices = [self._choices(group) for group in groups if not self._is_list(group)]
        return [
            (" ".join(label for label, _ in chosen), (*parts, *(part for _, found in chosen for part in found)))
            for chosen in product(*choices)
        ]

    def _choices(self, group: Sequence[Document]) -> list[tuple[str, Schemas]]:
        """Return the alternatives of a group, with labels that are unique."""
        found = [(_label(choice), parts) for choice in group for _, parts in self.alternatives((choice,))]
        labels = [label for label, _ in found]
        return [
            (label if labels.count(label) == 1 else f"{label} {number}", parts)
            for number, (label, parts) in enumerate(found, 1)
        ]

    def shape(self, schemas: Sequence[Document]) -> Shape:
        """Return what an alternative allows."""
        parts = list(self._parts(schemas))
        key = tuple(id(part) for part in parts)
        if key not in self._parsed:
            self._parsed[key] = self._parse(parts)
        return self._parsed[key]

    def key(self, schemas: Sequence[Document]) -> tuple[int, ...]:
        """Return what identifies schemas in this document."""
        return tuple(id(part) for part in self._parts(schemas))

    def _parse(self, parts: Sequence[Document]) -> Shape:
        shape = Shape()
        for part in parts:
            _restrict(shape, part)
            for name in ("oneOf", "anyOf"):
                if self._is_list(part.get(name, ())):
                    self._restrict_to_lists(shape, part[name])
            shape.excluded |= self._excluded(part.get("not", {}))
        return shape

    def _parts(self, schemas: Sequence[Document]) -> Iterator[Document]:
        """Yield every schema that applies: the targets of references, and the parts of `allOf`."""
        for schema in schemas:
            if "$ref" in schema:
                yield from self._parts((self._target(schema["$ref"]),))
            if schema.keys() - {"$ref"}:
                yield schema
            yield from self._parts(schema.get("allOf", ()))

    def _target(self, reference: str) -> Document:
        """Return a component. Raises SpecError if the document does not have it."""
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        target: Document | None = self._components.get(kind, {}).get(name)
        if target is None:
            raise SpecError(f"'{reference}' is not a component of the document.")
        return target

    def _is_list(self, group: Iterable[Document]) -> bool:
        """Return True if the alternatives are lists of values, and possibly types: together they are one list."""
        resolved = [self.resolve(choice) for choice in group]
        return any(_values(choice) is not None for choice in resolved) and all(
            not _rules_of(choice) - OF_TEXTS for choice in resolved
        )

    def _restrict_to_lists(self, shape: Shape, group: Iterable[Document]) -> None:
        resolved = [self.resolve(choice) for choice in group]
        lists = [_values(choice) for choice in resolved]
        shape.types &= frozenset().union(*(_types(choice) for choice in resolved))
        known = frozenset().union(*(found for found in lists if found is not None))
        if None in lists:
            shape.known_values |= known
        else:
            shape.values = known if shape.values is None else shape.values & known

    def _excluded(self, schema: Document) -> frozenset[str]:
        schema = self.resolve(schema)
        parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return (_values(schema) or frozenset()).union(*(self._excluded(part) for part in parts))


def _label(choice: Document) -> str:
    return str(choice.get("$ref", choice.get("title", choice.get("type", "")))).rpartition("/")[2]


def _rules_of(schema: Document) -> set[str]:
    return {name for name in schema if not name.startswith("x-") and name not in {"example", "examples"}}


def _values(schema: Document) -> frozenset[str] | None:
    """Return the only values that a schema allows, None if it has no list. `nullable` adds null to the list."""
    if schema.get("type") == "null":
        return frozenset({NULL})
    if "const" in schema:
        return frozenset({_text(schema["const"])})
    null = {NULL} if schema.get("nullable") else set()
    return frozenset(map(_text, schema["enum"])) | null if "enum" in schema else None


def _types(schema: Document) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        values = _values(schema)
        return JSON_TYPES if values is None else frozenset(TYPE_NAMES[type(json.loads(value))] for value in values)
    types = {given} if isinstance(given, str) else set(given)
    integer = {"integer"} if "number" in types else set()
    return frozenset(types | integer | ({"null"} if schema.get("nullable") else set()))


def _restrict(shape: Shape, schema: Document) -> None:
    """Add the rules of a schema itself to those of the shape."""
    shape.types &= _types(schema)
    values = _values(schema)
    if values is not None:
        shape.values = values if shape.values is None else shape.values & values
    shape.known_values |= set(map(_text, schema.get(OPEN_LIST, ())))
    for name, bound, is_exclusive in _limits(schema, LOWER):
        shape.lower[name] = max(shape.lower.get(name, (bound, is_exclusive)), (bound, is_exclusive))
    for name, bound, is_exclusive in _limits(schema, UPPER):
        shape.upper[name] = min(shape.upper.get(name, (bound, not is_exclusive)), (bound, not is_exclusive))
    for name in TEXTS:
        if name in schema:
            shape.texts[name] = shape.texts.get(name, frozenset()) | {str(schema[name])}
    shape.has_unique_items |= schema.get("uniqueItems", False)
    shape.groups |= {(rule, tuple(group)) for name, rule in GROUP_RULES.items() for group in schema.get(name, ())}
    if "default" in schema:
        shape.default = _text(schema["default"])
    _restrict_parts(shape, schema)


def _restrict_parts(shape: Shape, schema: Document) -> None:
    """Add the rules of a schema for members and items."""
    for name, member in schema.get("properties", {}).items():
        shape.members[name] = (*shape.members.get(name, ()), member)
    shape.required |= set(schema.get("required", ()))
    others = schema.get("additionalProperties", True)
    shape.is_closed |= others is False
    if isinstance(others, dict):
        shape.others = (*shape.others, others)
    if "items" in schema:
        shape.items = (*shape.items, schema["items"])


def _limits(schema: Document, names: dict[str, str]) -> Iterator[tuple[str, float, bool]]:
    """Yield each limit of a schema, and whether it is exclusive. A length of at least 0 is none."""
    for name, exclusive in names.items():
        bound = schema.get(exclusive, False)
        if name in schema and (schema[name] != 0 or exclusive or names is UPPER):
            yield name, schema[name], bound is True
        if not isinstance(bound, bool):
            yield name, bound, True


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
