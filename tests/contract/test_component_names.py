"""Component names and enums: they become types in the clients that people generate, so they are chosen for those."""

import re
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
        Any Awaitable BaseModel Bytes Callable Counter Datetime Decimal Deque Dict Enum Exception Field File Float
        Frozenset Generator Int Iterable List Literal Mapping None Optional Path Property Protocol Range Self Sequence
        Set Slice Str Super Timedelta Tuple Type TypedDict Union UUID
    """,
    "TypeScript": """
        Animation Array Attr Audio BigInt Blob Body Boolean Cache Comment Crypto CustomEvent DataTransfer Date Document
        Element Error Event EventSource EventTarget Exclude Extract File FileList FormData Function Headers History
        Image Index Infinity Intl Iterator JSON Link Location Map Math Navigator Never Node Notification Number Object
        Omit Parameters Partial Performance Permissions Pick Plugin Position Promise Proxy Range Readonly Record Reflect
        RegExp Report Request Required Response ReturnType Screen Selection Set Storage String Symbol Text Touch
        Undefined Unknown URL Window Worker
    """,
    "Go": """
        any append bool byte cap chan close complex const Context copy defer delete error fallthrough float func go
        import init int interface iota len main make map new nil package panic print range rune select string struct
        switch type uint var
    """,
    "Java": """
        Appendable Arrays Base64 Boolean Builder Byte Calendar Character Class Clock Closeable Collection Comparable
        Compiler Connection Currency Date Deprecated Double Driver Duration Enum Error Exception Field Float Formatter
        Instant Integer InternalError Iterator List Locale Locator Long Map Math Method Module Month Number Object
        Objects Optional Override Package Period Process Properties Queue Random Readable Record Reference Runnable
        Runtime Scanner Serializable Set Short Stack Statement Stream String System Thread Throwable Timer Timestamp
        Types UUID Vector Version Void Year
    """,
    "C#": """
        Action Activator Assembly Attribute Buffer Char Console Convert DateOnly DateTime DateTimeOffset Decimal
        Delegate Dictionary Environment Event EventArgs Func Guid Half Index Lazy Lookup Namespace Nullable Option
        Predicate Progress Random Range Single Span Task TimeOnly Timer TimeSpan Tuple Type Uri Version
    """,
    "generators": """
        AbstractApi Api ApiClient ApiError ApiException ApiResponse AuthenticatedClient BaseApi Client ClientOptions
        Components Configuration Data Errors External GenericOpenAPIError Id JSON Model ModelBase Money MultiDocument
        Operations Options Pair Paths RequestArgs RequestOptions Schema Schemas Security SelectedEndpoint
        ServerConfiguration ServerVariable Status TestData UnexpectedStatus Unset Webhooks
    """,
}


def test_no_name_is_reserved_in_a_language_of_clients() -> None:
    """Examples and links do not become types."""
    reserved = {word.lower() for words in RESERVED.values() for word in words.split()}
    types = [names for kind, names in COMPONENTS.items() if kind not in ("examples", "links")]

    assert {name for names in types for name in names if name.lower() in reserved} == set()


def test_no_field_has_the_name_of_its_schema() -> None:
    """A member of a C# class cannot have the name of the class."""
    names = {name: [field.lower() for field in schema.get("properties", {})] for name, schema in SCHEMAS.items()}

    assert [name for name, fields in names.items() if name.lower() in fields] == []


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


def test_no_constant_is_in_two_enums() -> None:
    """Generators for Go and C declare the constants of all enums in one scope."""
    names = [name for schema in SCHEMAS.values() if "enum" in schema for name in _constants(schema)]

    assert sorted(name for name, count in Counter(names).items() if count > 1) == []


def test_an_enum_names_all_of_its_constants_or_none() -> None:
    named = {name: schema for name, schema in SCHEMAS.items() if "x-enum-varnames" in schema}

    assert named
    assert {name for name, schema in named.items() if len(_constants(schema)) != len(schema["enum"])} == set()


def test_every_enum_is_a_named_schema() -> None:
    """An inline enum gets a name that each generator makes up. One value that narrows a named enum is none."""
    document = {key: value for key, value in spec.document().items() if key != "components"}
    inline = [COMPONENTS | {"schemas": [_without_enum(schema) for schema in SCHEMAS.values()]}, document]

    assert [node for node in _enums(inline) if not _narrows(node)] == []


def test_every_union_is_a_named_schema() -> None:
    """Generators make up a name for an inline union, and for a union below `not`."""
    inline = [
        name
        for name, schema in SCHEMAS.items()
        for part in [*schema.get("properties", {}).values(), schema.get("items", {}), schema.get("not", {})]
        for union in _unions(part)
        if union
    ]

    assert inline == []


def _constants(schema: dict[str, Any]) -> list[str]:
    """Return the names of the constants of an enum, as generators make them of the values."""
    names: list[str] = schema.get("x-enum-varnames") or [str(value) for value in schema["enum"]]
    return [re.sub(r"\W+", "_", name).upper() for name in names]


def _unions(node: Any) -> Iterator[Any]:
    """Yield every union at or below `node`."""
    if isinstance(node, dict):
        yield from (node[key] for key in ("anyOf", "oneOf") if key in node)
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _unions(child)


def _without_enum(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "enum"}


def _narrows(node: dict[str, Any]) -> bool:
    """Return True if `node` allows one value of a named enum, or is a `not` that excludes some of its values."""
    return (len(node["enum"]) == 1 and "allOf" in node) or node.keys() == {"enum"}


def _enums(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema below `node` that lists its values."""
    if isinstance(node, dict) and isinstance(node.get("enum"), list):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _enums(child)
