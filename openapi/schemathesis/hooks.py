"""Rules of valid requests that JSON Schema cannot express, for Schemathesis 4: `schemathesis.toml` names this file.

It changes valid requests alone, so that a business rule decides on them. No request revokes or rotates the API key that
sends it.
"""

import functools
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies

Case = schemathesis.Case[Any]

QUANTITY_RULES = ("minOrderQuantity", "orderMultiple", "maxOrderQuantity")
TIMES = ("since", "until", "updatedSince", "from", "to")
FIRST_DAY, LAST_DAY, ANY_DAY = "0001-01-01", "9999-12-31", "2026-01-01"
BARCODE = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)
SENT_KEYS: set[str | None] = set()
# The bodies of links. The document only describes them, because generators of clients refuse a document that has them.
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

ADDRESSES = strategies.ip_addresses(v=4) | strategies.ip_addresses(v=6, network="2000::/3")
schemathesis.openapi.format("cidr", ADDRESSES.map(lambda address: f"{address}/{address.max_prefixlen}"))


@schemathesis.hook
def before_load_schema(_context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Add the bodies of links."""
    for name, body in LINKED_BODIES.items():
        raw_schema["components"]["links"][name]["requestBody"] = body


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
    """Keep the calling key valid, and correct valid requests."""
    if case.method != "GET" and case.path_parameters.get("keyId") == _calling_key_id(case):
        case.path_parameters["keyId"] = "unknown"
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _correct_headers(case)
        _correct_query(case)
        if isinstance(case.body, dict):
            _correct_body(case, case.body)


def _calling_key_id(case: Case) -> str | None:
    """Return the id of the API key that sends a request, or None if the request has none that is valid."""
    authorization = case.headers.get("Authorization")
    return _key_id(case.operation.schema["/me"]["GET"], authorization) if authorization else None


@functools.cache
def _key_id(get_me: Any, authorization: str) -> str | None:
    response = get_me.Case(headers={"Authorization": authorization}).call()
    return str(response.json()["data"]["key"]["id"]) if response.status_code == 200 else None


def _correct_headers(case: Case) -> None:
    """Remove headers that their patterns exclude, which some phases generate. Use each Idempotency-Key once."""
    parameters = case.operation.schema.raw_schema["components"]["parameters"]
    if not re.search(parameters["IfMatch"]["schema"]["pattern"], case.headers.get("If-Match", "*")):
        del case.headers["If-Match"]
    if case.method == "PUT" and case.headers.get("If-None-Match", "*") != "*":
        del case.headers["If-None-Match"]
    key = case.headers.get("Idempotency-Key")
    if key in SENT_KEYS:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    SENT_KEYS.add(key)


def _correct_query(case: Case) -> None:
    """Remove cursors, which are ids of items, times that do not exist, and a range whose start is after its end."""
    query = case.query
    query.pop("cursor", None)
    for name in TIMES:
        if not _is_time(query.get(name, ANY_DAY)):
            del query[name]
    if not _is_ordered(query.get("from", LAST_DAY), query.get("to", FIRST_DAY)):  # the preset has the other end
        query.pop("from", None)
        query.pop("to", None)


def _correct_body(case: Case, body: dict[str, Any]) -> None:
    if case.path == "/api-keys":
        body.pop("expiresAt", None)  # it must be in the future, and not later than that of the calling key
    elif case.path in {"/orders", "/order-previews"}:
        for item in body["items"]:
            _name_one_product(item)
    elif case.path == "/products/{productId}/inventory-adjustments":
        _correct_adjustment(body)
    elif case.path.startswith("/products"):
        _correct_product(case, body)
    elif case.path.endswith(("/shipments", "/returns", "/receive")):
        _name_items_once(body)
    elif case.path.endswith("/recover"):
        _correct_range(body)
    _correct_prices(body)


def _correct_product(case: Case, body: dict[str, Any]) -> None:
    """Correct the check digit of a barcode. Name the product of a PUT by one field, which is not in the body."""
    barcode = str(body.get("barcode") or "").strip()
    if BARCODE.fullmatch(barcode):
        body["barcode"] = barcode[:-1] + _check_digit(barcode[:-1])
    if case.method == "PUT":
        name, other = ("sku", "externalId") if case.query.get("sku") else ("externalId", "sku")
        case.query[name] = case.query.get(name) or "Key"
        case.query.pop(other, None)
        body.pop(name, None)
        body.pop("stock", None)  # only the stock that the product has is valid


def _correct_adjustment(body: dict[str, Any]) -> None:
    """Set a reason that every change of stock can have. Leave one of the fields that exclude each other."""
    body["reason"] = "CORRECTION"
    if "countedStock" in body:
        body.pop("delta", None)
    else:
        body.setdefault("delta", 1)


def _name_one_product(item: dict[str, Any]) -> None:
    """Leave one of the fields of an order item that exclude each other."""
    if "productId" in item:
        item.pop("sku", None)
    else:
        item.setdefault("sku", "SKU-1")


def _name_items_once(body: dict[str, Any]) -> None:
    """Remove items that name what an earlier item names, and a time that does not exist."""
    if "items" in body:
        named = {item.get("orderItemId") or item.get("returnItemId"): item for item in body["items"]}
        body["items"] = list(named.values())
    if not _is_time(body.get("shippedAt") or ANY_DAY):
        del body["shippedAt"]


def _correct_range(body: dict[str, Any]) -> None:
    """Begin in the past, and leave out the end."""
    body.pop("until", None)
    if not (_is_time(body["since"]) and _is_ordered(body["since"], datetime.now(UTC).isoformat())):
        body["since"] = ANY_DAY


def _correct_prices(body: dict[str, Any]) -> None:
    """Sort price breaks, with one for each quantity. Clear quantity rules, which may contradict the stored ones."""
    if body.get("priceBreaks"):
        prices = {entry["minQuantity"]: entry for entry in body["priceBreaks"]}
        body["priceBreaks"] = [prices[quantity] for quantity in sorted(prices)]
    if not body.keys().isdisjoint(QUANTITY_RULES):
        body.update(dict.fromkeys(QUANTITY_RULES))


def _check_digit(digits: str) -> str:
    """Return the check digit of a GTIN: from the right, digits count three times and once in turn."""
    total = sum(int(digit) * (1 if number % 2 else 3) for number, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _is_ordered(start: str, end: str) -> bool:
    return _parse_time(start) <= _parse_time(end)


def _is_time(text: str) -> bool:
    try:
        _parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def _parse_time(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
