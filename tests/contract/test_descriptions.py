"""Every field of the document explains itself where it is used, on a reference page and in the code of a client."""

from collections.abc import Iterator
from typing import Any

from tests.contract.test_document import SCHEMAS

# Schemas of one value that many fields have in common, such as ids and times.
SHARED = {
    name
    for name, schema in SCHEMAS.items()
    if schema.get("type") in {"string", "number"} and schema.keys().isdisjoint({"enum", "x-extensible-enum", "anyOf"})
}


def test_every_field_is_explained_where_it_is_used() -> None:
    """A reference to an object or a list of values is explained there; one to a shared type, such as an id, is not."""
    found = [(name, field) for name in SCHEMAS for field in _unexplained(SCHEMAS[name])]

    assert found == []


def _unexplained(node: Any) -> Iterator[str]:
    """Yield the name of every field at or below a schema that says nothing about itself."""
    if isinstance(node, dict):
        for name, member in node.get("properties", {}).items():
            target = member.get("$ref", "").rpartition("/")[2]
            if (not target or target in SHARED) and member.keys().isdisjoint({"description", "example"}):
                yield name
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _unexplained(child)
