"""The Postman collection (format 2.1): a folder for each tag, a request for each operation.

A request stores the ids in its response as variables, which the paths and bodies of the next requests use: after
"List orders", "Get an order" gets the first of them. The links of the document say which ids these are.
"""

import json
import re
from collections.abc import Iterator

from app.api_reference.operations import OperationReference, by_tag
from app.spec import Document

BASE_URL = "http://127.0.0.1:8000/api/v1"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
FROM_BODY = "$response.body#"
ID = re.compile(r"\bc[a-z0-9]{24}\b")
# `$guid` is a variable of Postman: a new UUID in every request.
IDEMPOTENCY_KEY = {"key": "Idempotency-Key", "value": "{{$guid}}"}
BEARER = {"type": "bearer", "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}]}
# POINTERS is an object: the name of each variable, and the JSON pointer to its value.
SCRIPT = """const pointers = POINTERS;
const body = pm.response.code < 300 ? pm.response.json() : null;
for (const [name, pointer] of Object.entries(pointers)) {
  const value = pointer.slice(1).split("/").reduce((node, key) => node?.[key], body);
  if (value) pm.collectionVariables.set(name, value);
}"""
DESCRIPTION = (
    "Set the variables `baseUrl` and `apiKey`. Each request stores the ids in its response, such as `orderId`, for the"
    " requests that follow."
)

Json = dict[str, object]


def render(document: Document, references: list[OperationReference]) -> str:
    """Return the collection as JSON."""
    variables = sorted({name for found in references for name in stored(found)})
    values = {"baseUrl": BASE_URL, "apiKey": "", **dict.fromkeys(variables, "")}
    collection = {
        "info": {"name": document["info"]["title"], "description": DESCRIPTION, "schema": SCHEMA},
        "auth": BEARER,
        "variable": [{"key": name, "value": value, "type": "string"} for name, value in values.items()],
        "item": [
            {"name": tag, "item": [_item(found, variables) for found in folder]} for tag, folder in by_tag(references)
        ],
    }
    return json.dumps(collection, ensure_ascii=False, indent=1) + "\n"


def stored(reference: OperationReference) -> dict[str, str]:
    """Return the variables that an operation stores, with the JSON pointers to their values in its response."""
    return dict(_stored(reference))


def _stored(reference: OperationReference) -> Iterator[tuple[str, str]]:
    for name, value in (pair for link in reference.success.links for pair in link.items()):
        pointer = value.removeprefix(FROM_BODY)
        yield name, pointer
        if name == "orderId" and pointer.endswith("/id"):  # an order; its items are in bodies, which links do not have
            yield "orderItemId", pointer.removesuffix("id") + "items/0/id"


def _item(reference: OperationReference, variables: list[str]) -> Json:
    item: Json = {"name": reference.summary, "request": _request(reference, variables)}
    if pointers := stored(reference):
        script = SCRIPT.replace("POINTERS", json.dumps(pointers)).splitlines()
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": script}}]
    return item


def _request(reference: OperationReference, variables: list[str]) -> Json:
    request: Json = {
        "method": reference.operation.method,
        "description": reference.description,
        "header": list(_headers(reference)),
        "url": _url(reference),
    }
    if reference.operation.is_public:
        request["auth"] = {"type": "noauth"}
    if reference.body and reference.body.examples:
        bodies = (_template(example.value, variables) for example in reference.body.examples)
        texts = [json.dumps(body, ensure_ascii=False, indent=2) for body in bodies]
        fewest_ids = min(texts, key=lambda text: len(ID.findall(text)))
        request["body"] = {"mode": "raw", "raw": fewest_ids, "options": {"raw": {"language": "json"}}}
    return request


def _headers(reference: OperationReference) -> Iterator[Json]:
    for found in reference.parameters:
        if found.name == IDEMPOTENCY_KEY["key"]:
            yield {**IDEMPOTENCY_KEY}
        elif found.location == "header":
            yield {"key": found.name, "value": "", "description": found.description, "disabled": True}


def _template(value: object, variables: list[str]) -> object:
    """Return an example with variables in the place of the ids that requests store.

    Of a list whose items have variables, the first item is kept: the others would name the same resource.
    """
    if isinstance(value, dict):
        return {
            name: f"{{{{{name}}}}}" if name in variables else _template(child, variables)
            for name, child in value.items()
        }
    if isinstance(value, list):
        items = [_template(item, variables) for item in value]
        return items[:1] if "{{" in json.dumps(items) else items
    return value


def _url(reference: OperationReference) -> Json:
    path = reference.operation.path.replace("{", "{{").replace("}", "}}")
    sample = reference.samples("query")
    query = [
        {
            "key": found.name,
            "value": sample.get(found.name, ""),
            "description": found.description,
            "disabled": found.name not in sample,
        }
        for found in reference.parameters
        if found.location == "query"
    ]
    raw = "{{baseUrl}}" + path + ("?" + "&".join(f"{name}={value}" for name, value in sample.items()) if sample else "")
    return {"raw": raw, "host": ["{{baseUrl}}"], "path": path.strip("/").split("/"), "query": query}
