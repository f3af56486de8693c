"""A valid request for every operation of the document, against resources that a test has just created."""

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from app import spec
from app.context import now
from app.db import Database
from app.spec import Operation
from models import Scope
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant

DOCUMENT = spec.document()
OPERATIONS = {operation.id: operation for operation in spec.operations(DOCUMENT)}
UNKNOWN_ID = "c" + "0" * 24
NUMBERS = itertools.count(1)

Ids = Mapping[str, str]  # by the names of the parameters and members that have them: `orderId`

# The resource whose id a parameter takes that is not named after a resource. A cursor is the id of an item of the list.
QUERY_IDS = {"entityId": "orderId", "actorId": "callingKeyId"}
CURSORS = {
    "listApiKeys": "keyId",
    "listAuditEntries": "entryId",
    "listCreditNotes": "creditNoteId",
    "listCustomerPrices": "productId",
    "listCustomers": "customerId",
    "listEvents": "eventId",
    "listInventoryMovements": "movementId",
    "listOrders": "orderId",
    "listProductInventoryMovements": "movementId",
    "listProducts": "productId",
    "listReturns": "returnId",
    "listShipments": "shipmentId",
    "listWebhookDeliveries": "deliveryId",
}
# The resource in the place of the one after which a parameter is named.
OTHER_IDS = {"refundReturn": {"returnId": "receivedReturnId"}, "listCreditNotes": {"returnId": "refundedReturnId"}}
# Ids that clients choose, or that no operation can look up by an id of the path.
NOT_OURS = {"externalId", "productExternalId", "customerExternalId", "requestId"}


def _new(text: str) -> str:
    return f"{text}-{next(NUMBERS)}"


def _adjustment() -> dict[str, Any]:
    return {"delta": next(NUMBERS), "reason": "RECEIVED"}


def _order(ids: Ids, quantity: int = 1) -> dict[str, Any]:
    items = [{"productId": ids["productId"], "quantity": quantity}]
    return {"customerId": ids["customerId"], "items": items, "poNumber": _new("PO")}


def _product() -> dict[str, Any]:
    return {"name": _new("Tea"), "price": 8.5}


BODIES: dict[str, Callable[[Ids], dict[str, Any]]] = {
    "createApiKey": lambda _: {"name": _new("ERP"), "scopes": [Scope.KEYS_WRITE]},
    "createCustomer": lambda _: {"email": f"{_new('anna')}@example.com"},
    "createInventoryAdjustment": lambda _: _adjustment(),
    "createInventoryAdjustments": lambda ids: {"items": [{"productId": ids["productId"], **_adjustment()}]},
    "createOrder": _order,
    "createProduct": lambda _: _product(),
    "createShipment": lambda ids: {
        "items": [{"orderItemId": ids["orderItemId"], "quantity": 1}],
        "carrier": _new("Carrier"),
    },
    "createReturn": lambda ids: {
        "orderId": ids["orderId"],
        "items": [{"orderItemId": ids["orderItemId"], "quantity": 1}],
        "notes": _new("Torn"),
    },
    "createWebhook": lambda _: {"url": f"https://example.com/{_new('hook')}", "events": ["order.created"]},
    "previewOrder": _order,
    "receiveReturn": lambda ids: {
        "items": [{"returnItemId": ids["returnItemId"], "receivedQuantity": 1, "restockQuantity": 1}],
    },
    "recoverWebhook": lambda _: {"since": now().date().isoformat()},
    "refundReturn": lambda _: {"method": "CREDIT_NOTE", "reference": _new("RMA")},
    "updateCustomer": lambda _: {"name": _new("Anna")},
    "updateOrderStatus": lambda _: {"status": "DELIVERED"},
    "updateProduct": lambda _: {"name": _new("Tea")},
    "updateReturn": lambda _: {"status": "REJECTED", "notes": _new("Torn")},
    "updateShipment": lambda _: {"carrier": _new("Carrier")},
    "updateWebhook": lambda _: {"description": _new("Shop")},
    "upsertCustomerPrice": lambda _: {"price": next(NUMBERS)},
    "upsertPrices": lambda ids: {
        "items": [{"customerId": ids["customerId"], "productId": ids["productId"], "price": next(NUMBERS)}]
    },
    "upsertProduct": lambda _: _product(),
    "voidCreditNote": lambda _: {"reason": _new("Typing error")},
    "upsertProducts": lambda ids: {"items": [{"id": ids["productId"], "name": _new("Tea")}]},
}


@dataclass(frozen=True, kw_only=True)
class OperationRequest:
    """A request to an operation. It is sent with a new Idempotency-Key if the operation requires one."""

    operation: Operation
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def send(self, client: httpx.Client, **headers: str) -> httpx.Response:
        """Send the request with `headers`, whose names have underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if "RequiredIdempotencyKey" in parameter_components(self.operation):
            given.setdefault("Idempotency-Key", str(uuid.uuid4()))
        return client.request(self.operation.method, self.path, params=self.query, json=self.body, headers=given)


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters of an operation."""
    return [spec.resolve(DOCUMENT, parameter) for parameter in operation.definition.get("parameters", [])]


def parameter_components(operation: Operation) -> set[str]:
    """Return the names of the components that define the parameters of an operation."""
    return {parameter.get("$ref", "").rpartition("/")[2] for parameter in operation.definition.get("parameters", [])}


def build(operation: Operation, ids: Ids) -> OperationRequest:
    """Return a valid request that names the resources `ids`. Every call returns other texts and numbers in its body."""
    has_body = operation.definition.get("requestBody", {}).get("required", False)
    return OperationRequest(
        operation=operation,
        path=_path(operation, ids),
        query={"sku": _new("SKU")} if operation.id == "upsertProduct" else {},
        body=BODIES[operation.id](ids) if has_body else None,
    )


def _path(operation: Operation, ids: Ids) -> str:
    own = {name: ids[resource] for name, resource in OTHER_IDS.get(operation.id, {}).items()}
    return operation.path.format_map({**ids, **own})


def id_names(operation: Operation) -> list[str]:
    """Return the names of the parameters and members with ids: `path:orderId`, `query:cursor`, `body:productId`."""
    found = [f"{parameter['in']}:{parameter['name']}" for parameter in parameters(operation) if _is_id(parameter)]
    content = operation.definition.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = spec.dereference(DOCUMENT, content.get("schema", {}))
    return [*found, *dict.fromkeys(f"body:{name}" for name in _members(schema) if _names_resource(name))]


def with_id(operation: Operation, name: str, ids: Ids, other: Ids) -> OperationRequest:
    """Return a valid request in which one parameter or member, as `id_names` returns it, has an id of `other`."""
    location, _, member = name.partition(":")
    resource = resource_of(operation, member)
    request, changed = build(operation, ids), {**ids, resource: other[resource]}
    if location == "query":
        return replace(request, query={**request.query, member: other[resource]})
    if location == "path":
        return replace(request, path=_path(operation, changed))
    return replace(request, body=BODIES[operation.id](changed))


def resource_of(operation: Operation, member: str) -> str:
    """Return the name of the resource whose id a parameter or member takes."""
    if member in OTHER_IDS.get(operation.id, {}):
        return OTHER_IDS[operation.id][member]
    if member == "cursor":
        return CURSORS[operation.id]
    return "productId" if member == "id" else QUERY_IDS.get(member, member)


def resources(client: Client, tenant: Tenant, database: Database) -> dict[str, str]:
    """Create one resource of each kind in a company, and return their ids.

    The order is for another product. One of its 50 units has been shipped, and three are in returns: one that is
    approved, one that is received, and one that is refunded.
    """
    customer = _created(client, "/customers", BODIES["createCustomer"]({}))
    product, ordered = factories.products(database, tenant.company_id, 2, stock=100)
    client.put(f"/customers/{customer}/prices/{product}", json={"price": 1}).raise_for_status()
    webhook = _created(client, "/webhooks", BODIES["createWebhook"]({}))
    order = _created(client, "/orders", _order({"customerId": customer, "productId": ordered}, quantity=50))
    confirmed = client.patch(f"/orders/{order}", json={"status": "CONFIRMED"}).raise_for_status().json()["data"]
    order_item = confirmed["items"][0]["id"]
    shipment = _created(client, f"/orders/{order}/shipments", BODIES["createShipment"]({"orderItemId": order_item}))
    returned, received, refunded = (
        _approved_return(client, {"orderId": order, "orderItemId": order_item}) for _ in range(3)
    )
    for found in (received, refunded):
        _with_key(client, f"/returns/{found['id']}/receive")
    refund = _with_key(client, f"/returns/{refunded['id']}/refund", BODIES["refundReturn"]({}))
    movement = _created(client, f"/products/{ordered}/inventory-adjustments", _adjustment())
    return {
        "customerId": customer,
        "productId": product,
        "orderId": order,
        "orderItemId": order_item,
        "shipmentId": shipment,
        "returnId": returned["id"],
        "returnItemId": returned["items"][0]["id"],
        "receivedReturnId": received["id"],
        "refundedReturnId": refunded["id"],
        "creditNoteId": refund["creditNote"]["id"],
        "movementId": movement,
        "webhookId": webhook,
        "deliveryId": _first(client, f"/webhooks/{webhook}/deliveries"),
        "eventId": _first(client, "/events"),
        "entryId": _first(client, "/audit-log"),
        "keyId": factories.api_key(database, tenant.company_id, scopes=[Scope.KEYS_WRITE])[0],
        "callingKeyId": tenant.key_id,
    }


def _approved_return(client: Client, ids: Ids) -> dict[str, Any]:
    made = client.post("/returns", json=BODIES["createReturn"](ids)).raise_for_status().json()["data"]
    response = client.patch(f"/returns/{made['id']}", json={"status": "APPROVED"})
    return dict(response.raise_for_status().json()["data"])


def _with_key(client: Client, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    response = client.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    return dict(response.raise_for_status().json()["data"])


def _created(client: Client, path: str, body: dict[str, Any]) -> str:
    response = client.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    return str(response.raise_for_status().json()["data"]["id"])


def _first(client: Client, path: str) -> str:
    return str(client.get(path, params={"limit": 1}).raise_for_status().json()["data"][0]["id"])


def _is_id(parameter: dict[str, Any]) -> bool:
    return parameter["in"] in {"path", "query"} and (
        parameter["name"] == "cursor" or _names_resource(parameter["name"])
    )


def _names_resource(name: str) -> bool:
    return (name == "id" or name.endswith("Id")) and name not in NOT_OURS


def _members(schema: Any) -> Iterator[str]:
    """Yield the names of all members of a schema, and of those inside them."""
    for name, member in schema.get("properties", {}).items():
        yield name
        yield from _members(member)
    if "items" in schema:
        yield from _members(schema["items"])
