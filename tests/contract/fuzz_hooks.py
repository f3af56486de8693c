"""Rules that JSON Schema cannot express: cursors belong to the company, dates exist, fields fit together."""

import json
import os
import re
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

from app import gtin, spec
from app.context import now
from app.http.body import parse
from app.http.errors import ApiError
from app.schemas.times import parse_time

MEMBERS, MAX_ITEMS = {"mode", "items"}, 1_000  # of a bulk request
QUANTITY_RULES = ("minOrderQuantity", "orderMultiple", "maxOrderQuantity")
OWN_KEYS = "FUZZ_KEYS"  # the environment variable with the ids of the keys that send the requests
START, END = "0001-01-01", "9999-12-31"  # one end alone may be beyond the other end of the preset: remove both


ADDRESSES = strategies.ip_addresses(v=4) | strategies.ip_addresses(v=6, network="2000::/3")
schemathesis.openapi.format("cidr", ADDRESSES.map(lambda address: f"{address}/{address.max_prefixlen}"))


# Bodies of links, which the document only describes: generators refuse a document that has them.
LINKED_BODIES: dict[str, Any] = {
    "CreateReturn": {
        "orderId": "$response.body#/data/id",
        "items": [{"orderItemId": "$response.body#/data/items/0/id", "quantity": 1}],
    },
    "CreateReturnOfShipment": {
        "orderId": "$response.body#/data/orderId",
        "items": [{"orderItemId": "$response.body#/data/items/0/orderItemId", "quantity": 1}],
    },
}
PARAMETERS = spec.document()["components"]["parameters"]
IF_MATCH = re.compile(PARAMETERS["IfMatch"]["schema"]["pattern"])


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Add the bodies of links."""
    for name, body in LINKED_BODIES.items():
        raw_schema["components"]["links"][name]["requestBody"] = body


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Remove well-formed values without a meaning from requests that are meant to succeed; other tests send them."""
    if case.method != "GET" and case.path_parameters.get("keyId") in os.environ[OWN_KEYS].split(","):
        case.path_parameters["keyId"] = "unknown"  # the keys of the fuzzer must remain valid
    if case.meta is None:
        return
    if _has_errors_only_in_items(case):
        case.meta.generation.mode = GenerationMode.POSITIVE  # it has to be accepted: the errors are those of the items
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        _correct(case)


def _correct(case: schemathesis.Case[Any]) -> None:
    case.query.pop("cursor", None)
    _correct_conditions(case)
    if (case.method, case.path) == ("POST", "/webhooks"):
        case.headers.pop("Idempotency-Key", None)  # a replayed response may be that of a webhook deleted since then
    if (case.method, case.path) == ("POST", "/api-keys") and isinstance(case.body, dict):
        case.body.pop("expiresAt", None)  # it may be in the past
    for name in ("since", "until", "updatedSince", "from", "to"):
        if not _is_time(case.query.get(name, "2026-01-01")):
            del case.query[name]
    if not _is_ordered(case.query.get("from", END), case.query.get("to", START)):
        case.query.pop("from", None)
        case.query.pop("to", None)
    if isinstance(case.body, dict):
        _correct_body(case.path, case.body)
        _correct_prices(case.body)
        if case.path.startswith("/products"):
            _correct_product(case.method, case.query, case.body)


def _correct_conditions(case: schemathesis.Case[Any]) -> None:
    """Remove headers that their patterns exclude: some phases generate them."""
    if not IF_MATCH.search(str(case.headers.get("If-Match", "*"))):
        del case.headers["If-Match"]
    if case.method == "PUT" and case.headers.get("If-None-Match", "*") != "*":
        del case.headers["If-None-Match"]


def _correct_shipment(body: dict[str, Any]) -> None:
    """Remove a time that does not exist."""
    if not _is_time(body.get("shippedAt") or "2026-01-01"):
        del body["shippedAt"]


def _name_items_once(body: dict[str, Any]) -> None:
    """Remove items that name what an earlier item names."""
    if "items" in body:
        named = {item.get("orderItemId") or item.get("returnItemId"): item for item in body["items"]}
        body["items"] = list(named.values())


def _correct_body(path: str, body: dict[str, Any]) -> None:
    if path.endswith("/shipments"):
        _correct_shipment(body)
    if path.endswith(("/shipments", "/returns", "/receive")):
        _name_items_once(body)
    if path.endswith("/recover") and "since" in body:
        body.pop("until", None)
        since = str(body["since"])
        if not (_is_time(since) and _is_ordered(since, now().isoformat())):
            body["since"] = "2026-01-01"
    if path.startswith("/products/") and path.endswith("/inventory-adjustments"):
        _fit_adjustment(body)
    if path in {"/orders", "/order-previews"}:
        for item in body["items"]:
            _name_one_product(item)


def _correct_prices(body: dict[str, Any]) -> None:
    """Sort price breaks, with one for each quantity. Clear quantity rules, which may contradict the stored ones."""
    if body.get("priceBreaks"):
        prices = {entry["minQuantity"]: entry for entry in body["priceBreaks"]}
        body["priceBreaks"] = [prices[quantity] for quantity in sorted(prices)]
    if not body.keys().isdisjoint(QUANTITY_RULES):
        body.update(dict.fromkeys(QUANTITY_RULES))


def _name_one_product(item: dict[str, Any]) -> None:
    """Leave one of the two fields of an order item that exclude each other."""
    if "productId" in item:
        item.pop("sku", None)
    else:
        item.setdefault("sku", "SKU-1")


def _fit_adjustment(body: dict[str, Any]) -> None:
    """Set a reason that fits, and leave one of the two fields that exclude each other."""
    body["reason"] = "CORRECTION"
    if "countedStock" in body:
        body.pop("delta", None)
    else:
        body.setdefault("delta", 1)


def _correct_product(method: str, query: dict[str, Any], body: dict[str, Any]) -> None:
    """Correct the check digit of a barcode. Name the product of an upsert by one key, which is not in the body."""
    barcode = gtin.stored(str(body.get("barcode") or ""))
    if barcode:
        body["barcode"] = barcode[:-1] + gtin.check_digit(barcode[:-1])
    if method == "PUT":
        name = "sku" if query.get("sku") else "externalId"
        query[name] = query.get(name) or "Key"
        query.pop("externalId" if name == "sku" else "sku", None)
        body.pop(name, None)
        body.pop("stock", None)  # only the stock that the product has is valid


def _has_errors_only_in_items(case: schemathesis.Case[Any]) -> bool:
    """Return whether a bulk request is valid except for its items, whose errors are results (contract, section 9.3)."""
    body = case.body
    if case.meta is None or not case.path.startswith("/bulk/") or not isinstance(body, dict):
        return False
    negative = {location for location, component in case.meta.components.items() if component.mode.is_negative}
    items, mode = body.get("items"), body.get("mode", "all")
    has_items = isinstance(items, list) and 1 <= len(items) <= MAX_ITEMS
    is_request = has_items and mode in ("all", "each") and body.keys() <= MEMBERS and _is_strict_json(body)
    return negative == {ParameterLocation.BODY} and is_request


def _is_strict_json(body: object) -> bool:
    """Return whether the server reads a body: it refuses some numbers and characters (`app/http/body.py`)."""
    try:
        parse(json.dumps(body).encode())
    except ApiError:
        return False
    return True


def _is_ordered(start: str, end: str) -> bool:
    return parse_time(start) <= parse_time(end)


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
