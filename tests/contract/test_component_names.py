"""Component names and enums: they become types in the clients that people generate, so they are chosen for those."""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from app import spec

COMPONENTS = spec.document()["components"]
SCHEMAS = COMPONENTS["schemas"]
ENUMS = {name: set(schema["enum"]) for name, schema in SCHEMAS.items() if "enum" in schema}

# Types of a language, of its common runtime, or of a generator's own client. Compared without regard to case.
RESERVED = {
    "Python": """
        Any Callable Decimal Dict Enum Exception File Iterable List Mapping None Optional Path Set Tuple Type
        Union UUID
    """,
    "TypeScript": """
        Array BigInt Blob Body Boolean Date Document Element Error Event File FormData Function Headers Index
        Iterator Link Location Map Node Notification Number Object Parameters Partial Pick Promise Proxy Range
        Readonly Record RegExp Request Response Selection Set String Symbol Text URL
    """,
    "Go": "bool byte chan Context error float func int interface map range rune string struct type",
    "Java": """
        Boolean Byte Calendar Character Class Clock Collection Currency Date Double Duration Enum Error Exception
        Float Instant Integer Iterator List Locale Long Map Math Module Number Object Objects Optional Override
        Package Period Process Record Runtime Set String System Thread Throwable Timestamp UUID Version Void
    """,
    "C#": """
        Action Attribute Convert DateTime Delegate Event Environment Func Guid Index Lazy Nullable Range Task
        Timer Tuple Type Uri Version
    """,
    "generators": """
        ApiClient ApiError ApiException ApiResponse AuthenticatedClient Client Configuration Data Id JSON Model
        Money Pair Response Status Unset
    """,
}


def test_no_name_is_reserved_in_a_language_of_clients() -> None:
    reserved = {word.lower() for words in RESERVED.values() for word in words.split()}

    assert {name for names in COMPONENTS.values() for name in names if name.lower() in reserved} == set()


def test_no_name_looks_like_a_test_or_a_nullable_wrapper() -> None:
    """pytest, JUnit and xUnit collect classes by prefix or suffix; Go generators make a NullableX of every X."""
    names = {name for names in COMPONENTS.values() for name in names}

    assert {
        name for name in names if name.startswith(("Test", "Nullable")) or name.endswith(("Test", "Tests"))
    } == set()


def test_no_two_kinds_share_a_name() -> None:
    """Generators for Go declare all of them in one package."""
    kinds = ("schemas", "parameters", "responses", "headers", "securitySchemes")
    uses = Counter(name.lower() for kind in kinds for name in COMPONENTS[kind])

    assert {name for name, count in uses.items() if count > 1} == set()


def test_the_title_of_a_schema_is_its_name() -> None:
    assert {name: schema["title"] for name, schema in SCHEMAS.items()} == {name: name for name in SCHEMAS}


def test_no_two_enums_have_nearly_the_same_values() -> None:
    assert ENUMS
    assert [
        (one, other)
        for one, other in combinations(ENUMS, 2)
        if 2 * len(ENUMS[one] & ENUMS[other]) > min(len(ENUMS[one]), len(ENUMS[other]))
    ] == []


def test_every_enum_is_a_named_schema() -> None:
    """An inline enum gets a name that each generator makes up. One value that narrows a named enum is none."""
    document = {key: value for key, value in spec.document().items() if key != "components"}
    inline = [COMPONENTS | {"schemas": [_without_enum(schema) for schema in SCHEMAS.values()]}, document]

    assert [node for node in _enums(inline) if not _narrows(node)] == []


def _without_enum(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "enum"}


def _narrows(node: dict[str, Any]) -> bool:
    """Return True if `node` allows one value of a named enum, or excludes one in an adjacent `not`."""
    return len(node["enum"]) == 1 and ("allOf" in node or node.keys() == {"enum"})


def _enums(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema below `node` that lists its values."""
    if isinstance(node, dict) and isinstance(node.get("enum"), list):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _enums(child)
