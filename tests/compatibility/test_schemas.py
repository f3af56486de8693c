"""Every removal, narrowing and requirement in a schema of the document is found, and no addition breaks clients."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from app import spec
from app.compatibility.changes import Change, Difference, Direction, Effect, breaking
from app.compatibility.documents import compare
from app.compatibility.schemas import SchemaComparison
from app.compatibility.shapes import Shapes
from app.spec import Document
from tests.support.mutations import Place, Pointer, at, only, places, replaced, resolved, without

DOCUMENT = spec.document()
PLACES = places(DOCUMENT)
LOWER, UPPER = (
    ("minimum", "minLength", "minItems", "minProperties"),
    ("maximum", "maxLength", "maxItems", "maxProperties"),
)
LISTS = ("enum", "x-extensible-enum")
SENT, RECEIVED = Direction.SENT, Direction.RECEIVED
OBJECT_A = {"title": "A", "type": "object", "properties": {"a": {}}, "required": ["a"]}
OBJECT_B = {"title": "B", "type": "object", "properties": {"b": {}}, "required": ["b"]}
ADDED = {"type": "string", "maxLength": 9}

Mutation = Callable[[Document], Iterator[Document]]


def without_a_member(schema: Document) -> Iterator[Document]:
    for name in schema.get("properties", {}):
        required = without(schema.get("required", []), name)
        yield {**schema, "properties": without(schema["properties"], name), "required": required}


def with_a_new_member(schema: Document) -> Iterator[Document]:
    if "properties" in schema:
        yield {**schema, "properties": {**schema["properties"], "added": ADDED}}


def with_a_new_required_member(schema: Document) -> Iterator[Document]:
    for added in with_a_new_member(schema):
        yield {**added, "required": [*schema.get("required", []), "added"]}


def with_a_required_member(schema: Document) -> Iterator[Document]:
    for name in schema.get("properties", {}).keys() - set(schema.get("required", [])):
        yield {**schema, "required": [*schema.get("required", []), name]}


def with_an_optional_member(schema: Document) -> Iterator[Document]:
    for name in schema.get("required", []):
        yield {**schema, "required": without(schema["required"], name)}


def without_a_value(schema: Document) -> Iterator[Document]:
    excluded = [value for part in [schema.get("not", {})] for value in part.get("enum", [])]
    for name in LISTS:
        for value in schema.get(name, []):
            if value not in excluded:
                yield {**schema, name: without(schema[name], value)}


def with_a_new_value(schema: Document) -> Iterator[Document]:
    yield from ({**schema, name: [*schema[name], "ADDED"]} for name in LISTS if name in schema)


def with_a_tighter_limit(schema: Document) -> Iterator[Document]:
    yield from ({**schema, name: schema[name] + 1} for name in LOWER if name in schema)
    yield from ({**schema, name: schema[name] - 1} for name in UPPER if name in schema)


def with_a_looser_limit(schema: Document) -> Iterator[Document]:
    yield from ({**schema, name: schema[name] - 1} for name in LOWER if name in schema)
    yield from ({**schema, name: schema[name] + 1} for name in UPPER if name in schema)
    yield from (without(schema, name) for name in (*LOWER, *UPPER, "pattern", "format", "multipleOf") if name in schema)


def with_a_new_rule(schema: Document) -> Iterator[Document]:
    if schema.get("type") == "string":
        yield {**schema, "pattern": "^z$"}
        yield {**schema, "format": "uuid"}
    if schema.get("type") == "array":
        yield {**schema, "uniqueItems": True}
    if schema.get("type") in {"integer", "number"}:
        yield {**schema, "multipleOf": 7}
    if "type" in schema and not schema.keys() & {"enum", "allOf", "anyOf"}:
        yield {**schema, "not": {"enum": ["excluded"]}}


def with_another_format(schema: Document) -> Iterator[Document]:
    if "format" in schema:
        yield {**schema, "format": "other"}
        yield without(schema, "format")


def with_another_type(schema: Document) -> Iterator[Document]:
    if "type" in schema:
        yield {**schema, "type": "boolean" if schema["type"] != "boolean" else "string"}


def with_null(schema: Document) -> Iterator[Document]:
    if "type" in schema and not schema.get("nullable"):
        yield {**schema, "nullable": True}


def without_null(schema: Document) -> Iterator[Document]:
    if schema.get("nullable"):
        yield without(schema, "nullable")


def with_other_members(schema: Document) -> Iterator[Document]:
    if schema.get("additionalProperties") is False:
        yield without(schema, "additionalProperties")


BREAKS: list[tuple[Direction, Mutation]] = [
    *((SENT, mutation) for mutation in (without_a_member, with_a_new_required_member, with_a_required_member)),
    *((SENT, mutation) for mutation in (without_a_value, with_a_tighter_limit, with_a_new_rule, with_another_type)),
    (SENT, without_null),
    *((RECEIVED, mutation) for mutation in (without_a_member, with_an_optional_member, without_a_value)),
    *((RECEIVED, mutation) for mutation in (with_another_format, with_another_type, with_null)),
]
ADDITIONS: list[tuple[Direction, Mutation]] = [
    *((SENT, mutation) for mutation in (with_a_new_member, with_an_optional_member, with_a_new_value)),
    *((SENT, mutation) for mutation in (with_a_looser_limit, with_null, with_other_members)),
    *((RECEIVED, mutation) for mutation in (with_a_new_member, with_a_new_required_member, with_a_required_member)),
    *((RECEIVED, mutation) for mutation in (with_a_new_value, with_a_tighter_limit, without_null)),
]
# Rules that the other parts of an allOf have too: a wider part allows nothing more.
OF_ALL_PARTS = {with_null, with_another_type, with_another_format}


def changes(place: Place, schema: Document) -> Iterator[list[Change]]:
    """Yield the changes of each operation that has a place, when the schema is there."""
    other = replaced(DOCUMENT, place.pointer, schema)
    for operation in place.operations:
        yield compare(only(DOCUMENT, operation, place.direction), only(other, operation, place.direction))


def is_repeated(pointer: Pointer) -> bool:
    """Return True for a part of an allOf, or its member, if another part says the same about a member."""
    if "allOf" not in pointer:
        return False
    index = pointer.index("allOf")
    parts = [
        at(DOCUMENT, resolved(DOCUMENT, (*pointer[:index], "allOf", number))).get("properties", {})
        for number in range(len(at(DOCUMENT, pointer[: index + 1])))
    ]
    own = parts.pop(int(pointer[index + 1]))
    return any(own.keys() & other.keys() for other in parts)


def name(case: tuple[Direction, Mutation]) -> str:
    return f"{case[0]}-{case[1].__name__}"


@pytest.mark.parametrize("case", BREAKS, ids=name)
def test_a_break_is_found_at_every_schema(case: tuple[Direction, Mutation]) -> None:
    direction, mutation = case
    checked, missed = 0, []
    for place in PLACES:
        schema = at(DOCUMENT, place.pointer)
        is_composed = place.is_part or "allOf" in schema
        if place.direction is not direction or (mutation in OF_ALL_PARTS and is_composed):
            continue
        for mutated in mutation(schema):
            checked += 1
            if not any(breaking(found) for found in changes(place, mutated)) and not is_repeated(place.pointer):
                missed.append((place.pointer, mutated))

    assert missed == []
    assert checked > 0


@pytest.mark.parametrize("case", ADDITIONS, ids=name)
def test_no_addition_to_a_schema_is_a_break(case: tuple[Direction, Mutation]) -> None:
    direction, mutation = case
    checked, wrong = 0, []
    for place in PLACES:
        if place.direction is not direction:
            continue
        for mutated in mutation(at(DOCUMENT, place.pointer)):
            checked += 1
            found = islice(changes(place, mutated), 2)  # a schema has the same differences at each operation
            wrong += [(place.pointer, broken[0]) for changed in found if (broken := breaking(changed))]

    assert wrong == []
    assert checked > 0


def test_places_cover_both_directions_of_the_document() -> None:
    counts = {direction: sum(place.direction is direction for place in PLACES) for direction in Direction}

    assert counts[SENT] > 150
    assert counts[RECEIVED] > 500


class TestForms:
    """Rules that the document of this project does not have, or that can be written in several ways."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
            ({"const": "a"}, {"enum": ["a"]}),
            ({"type": "string", "allOf": [{"maxLength": 5}]}, {"type": "string", "maxLength": 5}),
            ({"minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
            ({"maximum": 9, "exclusiveMaximum": True}, {"exclusiveMaximum": 9}),
            ({"enum": ["a", "b"]}, {"anyOf": [{"enum": ["a"]}, {"const": "b"}]}),
            ({"type": "string", "enum": ["a"], "nullable": True}, {"anyOf": [{"const": "a"}, {"type": "null"}]}),
            ({"enum": ["a", "b", "c"], "not": {"enum": ["c"]}}, {"enum": ["a", "b"]}),
            ({"enum": ["a", "b", "c"], "not": {"anyOf": [{"enum": ["c"]}]}}, {"enum": ["a", "b"]}),
            ({"type": "number"}, {"type": ["integer", "number"]}),
            ({"type": "string"}, {"type": "string", "minLength": 0}),
        ],
    )
    def test_two_forms_of_a_rule_are_equal(self, old: Document, new: Document) -> None:
        for direction in Direction:
            assert differences(old, new, direction) == []
            assert differences(new, old, direction) == []

    @pytest.mark.parametrize(
        ("old", "new", "text"),
        [
            ({"type": "number"}, {"type": "integer"}, "can no longer be a number that is not whole"),
            ({"type": "string"}, {"type": "integer"}, "can no longer be a string"),
            ({"type": "string"}, {"enum": ["a"]}, 'has only the values "a"'),
            ({"minimum": 0}, {"exclusiveMinimum": 0}, "has minimum 0 instead of 0"),
            ({"type": "object"}, {"type": "object", "additionalProperties": False}, "can no longer have other members"),
            ({"default": 5}, {"default": 6}, "has the default 6 instead of 5"),
            ({"default": 5}, {}, "has the default None instead of 5"),
            ({}, {"x-exactly-one-of": [["a", "b"]]}, "must have exactly one of a, b"),
            ({}, {"x-at-least-one-of": [["a", "b"]]}, "must have at least one of a, b"),
            ({"oneOf": [OBJECT_A, OBJECT_B]}, {"oneOf": [OBJECT_A]}, "no longer has the alternative B"),
            (
                {"additionalProperties": {"maxLength": 5}},
                {"additionalProperties": {"maxLength": 4}},
                "has maxLength 4 instead of 5",
            ),
        ],
    )
    def test_a_narrower_request_breaks(self, old: Document, new: Document, text: str) -> None:
        found = differences(old, new, SENT)

        assert text in [difference.text for difference in found if difference.effect is Effect.BREAKS]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            # One of the members was required, so every client has exactly one of them already.
            (
                {"properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
                {"properties": {"a": {}, "b": {}}, "additionalProperties": False, "x-exactly-one-of": [["a", "b"]]},
            ),
            (
                {"properties": {"a": {}, "b": {}}, "additionalProperties": False, "x-exactly-one-of": [["a", "b"]]},
                {
                    "properties": {"a": {}, "b": {}, "c": {}},
                    "additionalProperties": False,
                    "x-exactly-one-of": [["a", "b", "c"]],
                },
            ),
            ({"x-at-least-one-of": [["a"]]}, {"x-at-least-one-of": [["a", "b"]]}),
            ({"oneOf": [OBJECT_A]}, {"oneOf": [OBJECT_B, OBJECT_A]}),
            (OBJECT_A, {"oneOf": [OBJECT_B, {**OBJECT_A, "title": "C"}]}),
        ],
    )
    def test_a_wider_request_does_not_break(self, old: Document, new: Document) -> None:
        found = differences(old, new, SENT)

        assert found
        assert [difference for difference in found if difference.effect is Effect.BREAKS] == []

    @pytest.mark.parametrize(
        ("opened", "renamed"),
        [
            (
                {"anyOf": [{"enum": ["a", "b"]}, {"type": "string"}]},
                {"anyOf": [{"enum": ["a", "c"]}, {"type": "string"}]},
            ),
            (
                {"type": "string", "x-extensible-enum": ["a", "b"]},
                {"type": "string", "x-extensible-enum": ["a", "c"]},
            ),
        ],
    )
    def test_a_list_of_values_that_becomes_open_keeps_its_values(self, opened: Document, renamed: Document) -> None:
        """A client that knows the values of a response still does."""
        closed = {"type": "string", "enum": ["a", "b"]}

        assert [found for found in differences(closed, opened, RECEIVED) if found.effect is Effect.BREAKS] == []
        texts = [found.text for found in differences(closed, renamed, RECEIVED) if found.effect is Effect.BREAKS]
        assert texts == ['no longer has the value "b"']

    def test_a_schema_that_contains_itself_is_compared_once(self) -> None:
        tree = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Tree"}, "name": {}}}
        pruned = {**tree, "properties": {"child": {"$ref": "#/components/schemas/Tree"}}}
        old, new = ({"components": {"schemas": {"Tree": schema}}} for schema in (tree, pruned))
        comparison = SchemaComparison(Shapes(old), Shapes(new))
        reference = ({"$ref": "#/components/schemas/Tree"},)

        found = comparison.differences(reference, reference, RECEIVED)

        assert [(difference.member, difference.text) for difference in found] == [("name", "is removed")]


def differences(old: Document, new: Document, direction: Direction) -> list[Difference]:
    return list(SchemaComparison(Shapes({}), Shapes({})).differences((old,), (new,), direction))
