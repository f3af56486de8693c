"""The OpenAPI document: load the files below `openapi/`, bundle them, and look up operations.

Files are found by their names: `paths/orders_{orderId}.yaml` is the path /orders/{orderId}, a file below `components/`
is a component, and a file below `events/` is a webhook. The bundle keeps the names of components (a `$ref` to a file
below `components/` becomes `#/components/<kind>/<Name>`), because generated clients show them to their users.
"""

import functools
import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models import Scope

SOURCE = Path(__file__).resolve().parent.parent / "openapi"
METHODS = ("get", "put", "post", "delete", "patch")
WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[- ]")
ANY_KEY = "any"  # the x-scope of an operation that every valid API key may call
SCOPE_CHOICES = (
    f"Set x-scope to one of {', '.join(Scope)}, or to '{ANY_KEY}' for every valid API key;"
    " for a public operation, set 'security: []' instead."
)

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of the document. `scope` is None if it is public, or if every valid API key may call it.

    An operation that is read-only runs in a read transaction: every GET, and others that the document marks.
    `secret_members` are the paths to the members of its successful responses that must not be stored (`x-secret`).
    `dry_run_member` is the member of the body that makes a request read-only if it is true (`x-dry-run`).
    """

    id: str
    tag: str
    method: str
    path: str
    is_public: bool
    is_read_only: bool
    scope: Scope | None
    secret_members: tuple[tuple[str, ...], ...]
    dry_run_member: str | None
    definition: Document


class SpecError(Exception):
    """The document violates a rule that this server relies on; the message names the location."""


def load(source: Path = SOURCE) -> Document:
    """Return the bundled document of the files below `source`. Raises SpecError for a reference without a target."""
    return {
        **read(source / "openapi.yaml"),
        "paths": {_url(file): _bundle(read(file), file) for file in sorted(source.glob("paths/*.yaml"), key=_url)},
        "x-webhooks": {
            re.sub("[._]", "-", file.stem): _bundle(read(file), file) for file in sorted(source.glob("events/*.yaml"))
        },
        "components": _components(source),
        "x-error-codes": read(source / "errors.yaml"),
    }


@functools.cache
def document() -> Document:
    """Return the project's own document, bundled once per process. Callers must not change it."""
    return load()


def example(name: str) -> Document:
    """Return the value of one example of the project's own document, without loading the others."""
    value: Document = read(SOURCE / "components" / "examples" / f"{name}.yaml")["value"]
    return value


@functools.cache
def published() -> Document:
    """Return the project's own document without what is not for clients. Callers must not change it."""
    internal = {operation.path for operation in operations(document()) if operation.definition.get("x-internal")}
    return {**document(), "paths": {path: item for path, item in document()["paths"].items() if path not in internal}}


def operations(document: Document) -> Iterator[Operation]:
    """Yield every operation of `document`.

    Raises SpecError for an operation without an id, a tag, or a declaration of who may call it, and for a secret in a
    list.
    """
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation(document, path, method, item[method])


def resolve(document: Document, node: Document) -> Document:
    """Follow `$ref` of `node` inside the bundled `document` until the target is not a reference."""
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = document["components"][kind][name]
    return node


def dereference(document: Document, node: Any) -> Any:
    """Return `node` with every reference replaced by its target. Schemas of requests are not recursive."""
    if isinstance(node, list):
        return [dereference(document, child) for child in node]
    if not isinstance(node, dict):
        return node
    return {key: dereference(document, value) for key, value in resolve(document, node).items()}


def snake_case(name: str) -> str:
    """Return the Python name of an operation, a tag or a parameter: `listProducts` becomes `list_products`."""
    return WORD_BOUNDARY.sub("_", name).lower()


def _operation(document: Document, path: str, method: str, definition: Document) -> Operation:
    where = f"{method.upper()} {path}"
    for key in ("operationId", "tags"):
        if not definition.get(key):
            raise SpecError(f"{where} has no {key}.")
    return Operation(
        id=definition["operationId"],
        tag=definition["tags"][0],
        method=method.upper(),
        path=path,
        is_public=definition.get("security") == [],
        is_read_only=method == "get" or definition.get("x-read-only", False),
        scope=_scope(where, definition),
        secret_members=tuple(_secret_members(document, definition)),
        dry_run_member=definition.get("x-dry-run"),
        definition=definition,
    )


def _scope(where: str, definition: Document) -> Scope | None:
    """Return the scope that a key must have; None where `x-scope` is `any` or the operation is public."""
    name = definition.get("x-scope")
    if definition.get("security") == []:
        if name is not None:
            raise SpecError(f"{where} is public, but has the scope '{name}'. Remove x-scope or 'security: []'.")
        return None
    if name == ANY_KEY:
        return None
    if name not in list(Scope):
        problem = "no scope" if name is None else f"the unknown scope '{name}'"
        raise SpecError(f"{where} has {problem}. {SCOPE_CHOICES}")
    return Scope(name)


def _secret_members(document: Document, definition: Document) -> Iterator[tuple[str, ...]]:
    """Yield the path to each member with `x-secret` in the successful responses of an operation."""
    for status, reference in definition.get("responses", {}).items():
        content = resolve(document, reference).get("content", {}) if status.startswith("2") else {}
        if "application/json" in content:
            yield from _secrets(document, content["application/json"].get("schema", {}), ())


def _secrets(document: Document, node: Document, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    schema = resolve(document, node)
    if schema.get("x-secret"):
        yield path
    if "items" in schema and any(_secrets(document, schema["items"], path)):
        raise SpecError(f"An item of {'.'.join(path)} has x-secret, which only members of objects can have.")
    for part in schema.get("allOf", []):
        yield from _secrets(document, part, path)
    for name, member in schema.get("properties", {}).items():
        yield from _secrets(document, member, (*path, name))


def _url(file: Path) -> str:
    """Return the URL of a file below paths/: `orders_{orderId}.yaml` is /orders/{orderId}, `index.yaml` is /."""
    return "/" if file.stem == "index" else "/" + file.stem.replace("_", "/")


def _components(source: Path) -> Document:
    components: Document = {}
    for file in sorted((source / "components").glob("*/*.yaml")):
        components.setdefault(file.parent.name, {})[file.stem] = _bundle(read(file), file)
    return components


def _bundle(node: Any, file: Path) -> Any:
    """Rewrite each reference in `file` to a local one. One with an `example` becomes its target with this example."""
    if isinstance(node, list):
        return [_bundle(child, file) for child in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and "example" in node:
        target = file.parent / reference
        return {**_bundle(read(target), target), "example": node["example"]}
    if isinstance(reference, str):
        return {"$ref": _local(reference, file)}
    return {key: _bundle(value, file) for key, value in node.items()}


def _local(reference: str, file: Path) -> str:
    if reference.startswith("#/"):
        return reference
    target = (file.parent / reference).resolve()
    if not target.is_file() or target.parent.parent.name != "components":
        raise SpecError(f"{file}: '{reference}' is not a file below components/.")
    return f"#/components/{target.parent.name}/{target.stem}"


class _Loader(yaml.CSafeLoader):
    """YAML with the types of JSON: timestamps stay strings, and no object has a member twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the object. Raises SpecError for a repeated member, of which PyYAML would keep the last one."""
        names = Counter(key.value for key, _ in node.value)
        repeated = [name for name, count in names.items() if count > 1]
        if repeated:
            raise SpecError(f"line {node.start_mark.line + 1}: {', '.join(repeated)} appears more than once.")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read(file: Path) -> Document:
    """Return the content of a file. Raises SpecError if it is missing or has a member twice."""
    try:
        content: Document = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise SpecError(f"{file} is missing.") from None
    except SpecError as error:
        raise SpecError(f"{file}, {error}") from None
    return content


def to_yaml(document: Document) -> str:
    """Render `document` as YAML in the order it was written."""
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)


def to_json(document: Document) -> str:
    """Render `document` as JSON."""
    return json.dumps(document, ensure_ascii=False, indent=2)
