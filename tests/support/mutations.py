"""Every place of a document where something can be removed or added, and documents that differ there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app import spec
from app.compatibility.changes import Direction
from app.spec import Document

Pointer = tuple[Any, ...]


@dataclass
class Place:
    """A schema of a document, who sends its values, and operations that have it."""

    pointer: Pointer
    direction: Direction
    is_part: bool  # of an allOf: the other parts still apply
    operations: list[Pointer] = field(default_factory=list)


def at(document: Document, pointer: Pointer) -> Any:
    """Return what is at a place."""
    node: Any = document
    for step in pointer:
        node = node[step]
    return node


def replaced(node: Any, pointer: Pointer, value: Any) -> Any:
    """Return a copy with another value at a place, which shares everything else."""
    if not pointer:
        return value
    first, *rest = pointer
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    copy[first] = replaced(node[first], tuple(rest), value)
    return copy


def only(document: Document, operation: Pointer, direction: Direction) -> Document:
    """Return a document with one operation, and only with what one side sends."""
    section, path, method = operation
    definition = dict(at(document, operation))
    is_request = (direction is Direction.SENT) is (section == "paths")
    for name in ("responses",) if is_request else ("parameters", "requestBody"):
        definition.pop(name, None)
    empty: Document = {"paths": {}, "x-webhooks": {}}
    return {**document, **empty, section: {path: {method: definition}}}


def operations(document: Document) -> Iterator[Pointer]:
    """Yield the place of every operation and of every webhook."""
    for section in ("paths", "x-webhooks"):
        for path, item in document[section].items():
            yield from ((section, path, method) for method in spec.METHODS if method in item)


def places(document: Document) -> list[Place]:
    """Return every schema of the document, once for each direction."""
    found: dict[tuple[Pointer, Direction], Place] = {}
    for operation in operations(document):
        for pointer, direction in _roots(document, operation):
            _walk(document, pointer, direction, operation, found)
    return list(found.values())


def _roots(document: Document, operation: Pointer) -> Iterator[tuple[Pointer, Direction]]:
    """Yield the schemas of the parameters, bodies and headers of an operation."""
    sent, received = Direction.SENT, Direction.RECEIVED
    request, response = (sent, received) if operation[0] == "paths" else (received, sent)
    definition = at(document, operation)
    for index in range(len(definition.get("parameters", ()))):
        yield (*resolved(document, (*operation, "parameters", index)), "schema"), request
    if "requestBody" in definition:
        yield from ((pointer, request) for pointer in _contents(document, (*operation, "requestBody")))
    for status in definition["responses"]:
        pointer = resolved(document, (*operation, "responses", status))
        yield from ((found, response) for found in _contents(document, pointer))
        for name in at(document, pointer).get("headers", {}):
            yield (*resolved(document, (*pointer, "headers", name)), "schema"), response


def _contents(document: Document, pointer: Pointer) -> Iterator[Pointer]:
    for media_type in at(document, pointer).get("content", {}):
        yield (*pointer, "content", media_type, "schema")


def resolved(document: Document, pointer: Pointer) -> Pointer:
    """Follow the references from a place."""
    while "$ref" in (node := at(document, pointer)):
        pointer = ("components", *node["$ref"].removeprefix("#/components/").split("/"))
    return pointer


def _walk(
    document: Document,
    pointer: Pointer,
    direction: Direction,
    operation: Pointer,
    found: dict[tuple[Pointer, Direction], Place],
    *,
    is_part: bool = False,
) -> None:
    pointer = resolved(document, pointer)
    place = found.setdefault((pointer, direction), Place(pointer, direction, is_part))
    place.is_part |= is_part
    if operation in place.operations:
        return
    place.operations.append(operation)
    schema = at(document, pointer)
    for name in schema.get("properties", {}):
        _walk(document, (*pointer, "properties", name), direction, operation, found)
    if "items" in schema:
        _walk(document, (*pointer, "items"), direction, operation, found)
    for index in range(len(schema.get("allOf", ()))):
        _walk(document, (*pointer, "allOf", index), direction, operation, found, is_part=True)


def without(names: Sequence[str] | Document, name: str) -> Any:
    """Return a list or an object without one of its members."""
    if isinstance(names, dict):
        return {key: value for key, value in names.items() if key != name}
    return [other for other in names if other != name]
