"""The editions of the OpenAPI document: 3.0, which the server runs, and 3.1, which is derived from it.

The 3.1 edition describes the same API with what 3.1 adds: native webhooks with the headers of deliveries, events typed
by their data, scopes as roles, and JSON Schema 2020-12. `openapi/editions/3.1.yaml` has the texts that only this
edition has. Everything else is derived by structure: no component is named here.
"""

import functools
from collections.abc import Iterator

from app import spec
from app.address import BASE_PATH
from app.spec import Document

EDITIONS = ("3.0", "3.1")
ADDITIONS = spec.SOURCE / "editions" / "3.1.yaml"
EVENTS_PATH = "/events"  # its page has the type of every event
UNCHANGED = {"example", "examples", "links"}  # JSON values and expressions, not objects of OpenAPI
SUBSCHEMAS = {"items", "not", "additionalProperties"}
SUBSCHEMA_LISTS = {"allOf", "anyOf", "oneOf"}
EXCLUSIVE = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


@functools.cache
def document(edition: str) -> Document:
    """Return an edition of the project's own document, derived once per process. Callers must not change it."""
    return spec.published() if edition == "3.0" else derive(spec.published(), spec.read(ADDITIONS))


def served(edition: str, site_url: str) -> Document:
    """Return an edition as a server at an address serves it, with the absolute URLs of the API and its reference."""
    (server,), reference = (spec.document()[name] for name in ("servers", "externalDocs"))
    absolute = {
        "servers": [{**server, "url": site_url + BASE_PATH}],
        "externalDocs": {**reference, "url": f"{site_url}/docs"},
    }
    return {**document(edition), **absolute}


def derive(document: Document, additions: Document) -> Document:
    """Return the 3.1 edition of a bundled 3.0 document, with the texts of `additions`."""
    converted = _converted(document)
    webhooks = converted.pop("x-webhooks")
    return {
        **converted,
        "openapi": additions["openapi"],
        "tags": sorted([*document["tags"], *additions["tags"]], key=lambda tag: str(tag["name"]).lower()),
        "paths": {path: _with_roles(item) for path, item in converted["paths"].items()},
        "webhooks": {name: _delivered(item, additions["x-delivery"]) for name, item in webhooks.items()},
        "components": _with_event_union(converted["components"], document, additions["components"]),
    }


def events(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the type of each event of a 3.0 document, and the reference to its schema."""
    for item in document["x-webhooks"].values():
        reference = item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        yield _type_member(spec.resolve(document, {"$ref": reference}))[1], reference


def _type_member(schema: Document) -> tuple[str, str]:
    """Return the name and the only value of the member that has the type of an event."""
    (found,) = [
        (name, member["enum"][0])
        for name, member in schema["properties"].items()
        if len(member.get("enum", ())) == 1 and name in schema["required"]
    ]
    return found


def _with_event_union(components: Document, document: Document, additions: Document) -> Document:
    """Return the components with the type of an event as a union of the events, and with the additional parameters."""
    page = spec.resolve(document, _success(document["paths"][EVENTS_PATH]["get"]))
    reference = page["properties"]["data"]["items"]["$ref"]
    name = reference.rpartition("/")[2]
    event = {key: value for key, value in components["schemas"][name].items() if key in {"title", "description"}}
    union = {**event, "type": "object", "oneOf": [{"$ref": target} for _, target in events(document)]}
    union["discriminator"] = {"propertyName": _event_type_name(document), "mapping": dict(events(document))}
    return {
        **components,
        "parameters": {**components["parameters"], **additions["parameters"]},
        "schemas": {**components["schemas"], name: union},
    }


def _event_type_name(document: Document) -> str:
    names = {_type_member(spec.resolve(document, {"$ref": target}))[0] for _, target in events(document)}
    (name,) = names
    return name


def _success(operation: Document) -> Document:
    schema: Document = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return schema


def _with_roles(item: Document) -> Document:
    """Return a path item whose operations require their scopes as roles of the API key."""
    return {name: _with_role(member) if name in spec.METHODS else member for name, member in item.items()}


def _with_role(operation: Document) -> Document:
    scope = operation.get("x-scope")
    if scope in {None, spec.ANY_KEY}:
        return operation
    return {**operation, "security": [{name: [scope] for name in scheme} for scheme in operation["security"]]}


def _delivered(item: Document, delivery: Document) -> Document:
    """Return the path item of a webhook with the headers, the tag and the responses of every delivery."""
    return {method: {**operation, **delivery} for method, operation in item.items()}


def _converted(node: Document) -> Document:
    """Return an object of OpenAPI with every schema below it converted."""
    return {key: _converted_member(key, value) for key, value in node.items()}


def _converted_member(key: str, value: object) -> object:
    if key in UNCHANGED or (key.startswith("x-") and key != "x-webhooks"):
        return value
    if key == "schema":
        return json_schema(value)
    if isinstance(value, list):
        return [_converted(child) if isinstance(child, dict) else child for child in value]
    if not isinstance(value, dict):
        return value
    return _each_schema(value) if key == "schemas" else _converted(value)


def _each_schema(schemas: Document) -> Document:
    return {name: json_schema(schema) for name, schema in schemas.items()}


def json_schema(schema: object) -> object:
    """Return a schema of JSON Schema 2020-12 for one of OpenAPI 3.0. A Boolean allows or forbids everything."""
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    result = {key: _schema_member(key, value) for key, value in schema.items()}
    for rule in (_limits, _constant, _null, _examples):
        result = rule(result)
    return result


def _schema_member(key: str, value: object) -> object:
    if key == "properties" and isinstance(value, dict):
        return _each_schema(value)
    if key in SUBSCHEMA_LISTS and isinstance(value, list):
        return [json_schema(part) for part in value]
    return json_schema(value) if key in SUBSCHEMAS else value


def _limits(schema: Document) -> Document:
    """Replace an exclusive limit that is a Boolean by the number."""
    result = dict(schema)
    for exclusive, limit in EXCLUSIVE:
        if result.get(exclusive) is True:
            result[exclusive] = result.pop(limit)
        elif result.get(exclusive) is False:
            del result[exclusive]
    return result


def _constant(schema: Document) -> Document:
    """Replace an enum of one value by a constant, which needs no named enum."""
    if len(schema.get("enum", ())) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"enum", "allOf"}}
    return {**rest, "const": schema["enum"][0]}


def _null(schema: Document) -> Document:
    """Replace `nullable` by the type null."""
    if not schema.get("nullable"):
        return {key: value for key, value in schema.items() if key != "nullable"}
    rest = {key: value for key, value in schema.items() if key != "nullable"}
    if "type" not in rest or "const" in rest or SUBSCHEMA_LISTS & rest.keys():
        return {"anyOf": [rest, {"type": "null"}]}
    values = {"enum": [*rest["enum"], None]} if None not in rest.get("enum", (None,)) else {}
    return {key: [value, "null"] if key == "type" else value for key, value in rest.items()} | values


def _examples(schema: Document) -> Document:
    """Replace `example` by a list of one."""
    return {
        ("examples" if key == "example" else key): [value] if key == "example" else value
        for key, value in schema.items()
    }
