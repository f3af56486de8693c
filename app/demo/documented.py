"""The products, the customers and the orders of the demo company that the examples of the document name.

A request that is copied from the document works with the key of the demo company: its ids and skus exist, and what they
name is in a status in which the request succeeds. The values are those of the examples, and the times are relative to
now.

Not in this module: everything else that the examples name (`app/demo/documented_records.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from app import spec
from app.demo import audit_log, ledger, orders
from app.demo.audit_log import OrderHistory
from app.demo.customers import DemoCustomer, OrderableProduct, RowValues, Scenario
from app.demo.ledger import Change, Opening
from app.demo.orders import Charges, Item, PlacedOrder
from app.schemas.times import parse_time
from app.services import events
from models import CustomerStatus, MovementReason, OrderStatus

Json = Mapping[str, Any]

CREATED = timedelta(days=300)  # before now: products and customers
NOW_OF_EXAMPLES = parse_time("2026-04-30")  # after every time of an order, a return or an event in an example
EARLIER = timedelta(days=7)  # from the order whose returns are received to the one that can be shipped
PRODUCT_COLUMNS = {"sku": "sku", "name": "name", "description": "description", "category": "category", "unit": "unit"}


class Documented(NamedTuple):
    """The rows of what the document names."""

    products: list[tuple[Opening, RowValues]]
    customers: list[RowValues]
    orders: list[PlacedOrder]
    changes: list[Change]


class Placed(NamedTuple):
    """An order as an example shows it, its status, and when it was placed and last updated."""

    example: Json
    status: OrderStatus
    placed_at: datetime
    updated_at: datetime


def at(text: str, now: datetime) -> datetime:
    """Return a time of an example, relative to now."""
    return now - (NOW_OF_EXAMPLES - parse_time(text))


def data(example: str) -> Any:
    """Return what a response contains in an example."""
    return spec.example(example)["data"]


def generate(scenario: Scenario, charges: Charges) -> Documented:
    """Return the rows of what the document names."""
    products = [product for product in data("ProductPage") if product["isActive"]]
    orderable = [_orderable(scenario, product) for product in products]
    customer = data("Customer")
    buyer = _buyer(scenario, customer)
    placed = (_shipped(scenario.now), _submitted(scenario.now), _delivered(scenario.now))
    return Documented(
        products=[_product(scenario, product) for product in [*products, data("MinimalProduct")]],
        customers=[
            _customer(scenario, customer),
            _customer(scenario, {**data("MinimalCustomer"), "status": CustomerStatus.ACTIVE}),
        ],
        orders=[_order(scenario, buyer, orderable, charges, order) for order in placed],
        changes=[_received(scenario)],
    )


def order_ids() -> set[str]:
    """Return the ids of the orders. What the demo company does with its orders leaves them out."""
    return {data("ShippedOrder")["id"], data("ConfirmedOrder")["id"], data("CreditNote")["orderId"]}


def _shipped(now: datetime) -> Placed:
    """Return the order that has one shipment: the rest can be shipped, and everything can be returned."""
    example = data("ShippedOrder")
    return Placed(example, OrderStatus.SHIPPED, at(example["createdAt"], now), at(example["updatedAt"], now))


def _submitted(now: datetime) -> Placed:
    """Return the order that can be confirmed."""
    example = data("ConfirmedOrder")
    placed_at = at(example["createdAt"], now)
    return Placed(example, OrderStatus.SUBMITTED, placed_at, placed_at)


def _delivered(now: datetime) -> Placed:
    """Return the order of the credit note: like the one that has a shipment, but a week earlier."""
    note, like = data("CreditNote"), data("ShippedOrder")
    items = [{**item, "id": line["orderItemId"]} for item, line in zip(like["items"], note["lines"], strict=True)]
    example = {**like, "id": note["orderId"], "items": items, "poNumber": None, "shipments": []}
    order = _shipped(now)
    return Placed(example, OrderStatus.DELIVERED, order.placed_at - EARLIER, order.updated_at - EARLIER)


def _received(scenario: Scenario) -> Change:
    movement = data("InventoryMovement")
    received_at = at(movement["createdAt"], scenario.now)
    return Change(
        movement["productId"], received_at, movement["delta"], MovementReason(movement["reason"]), id=movement["id"]
    )


def _orderable(scenario: Scenario, product: Json) -> OrderableProduct:
    return OrderableProduct(product["id"], Decimal(str(product["price"])), scenario.now - CREATED)


def _product(scenario: Scenario, product: Json) -> tuple[Opening, RowValues]:
    created_at = scenario.now - CREATED
    row = {
        "id": product["id"],
        "company_id": scenario.company_id,
        **{column: product[name] for column, name in PRODUCT_COLUMNS.items()},
        "external_id": product["externalId"],
        "barcode": product["barcode"],
        "price": Decimal(str(product["price"])),
        "stock": product["stock"],
        "low_stock_threshold": product["lowStockThreshold"],
        "is_active": product["isActive"],
        "created_at": created_at,
        "updated_at": created_at,
    }
    return Opening(product["id"], created_at, created_at, product["stock"]), row


def _customer(scenario: Scenario, customer: Json) -> RowValues:
    created_at = scenario.now - CREATED
    return {
        "id": customer["id"],
        "company_id": scenario.company_id,
        "email": customer["email"],
        "external_id": customer["externalId"],
        "name": customer["name"],
        "status": customer["status"],
        "notes": customer["notes"],
        "credit_limit": _number(customer["creditLimit"]),
        "tax_rate_override": _number(customer["taxRateOverride"]),
        "email_verified": customer["emailVerified"],
        "created_at": created_at,
        "updated_at": created_at,
    }


def _number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _buyer(scenario: Scenario, customer: Json) -> DemoCustomer:
    return DemoCustomer(
        id=customer["id"],
        created_at=scenario.now - CREATED,
        blocked_at=None,
        tax_rate_override=_number(customer["taxRateOverride"]),
        address={},
    )


def _order(
    scenario: Scenario, customer: DemoCustomer, products: Sequence[OrderableProduct], charges: Charges, order: Placed
) -> PlacedOrder:
    example, placed_at = order.example, order.placed_at
    prices = {product.id: product.price for product in products}
    items = [Item(item["productId"], item["quantity"], prices[item["productId"]]) for item in example["items"]]
    priced = orders.amounts(customer, items, charges)
    rows = orders.item_rows(scenario.company_id, example["id"], placed_at, items)
    details = {
        "id": example["id"],
        "status": OrderStatus.SUBMITTED,
        "total": float(priced["total"]),
        "customerId": customer.id,
        "poNumber": example["poNumber"],
        "itemCount": len(items),
    }
    history = OrderHistory(scenario.company_id, example["id"], details, placed_at, order.status, order.updated_at)
    return PlacedOrder(
        {**_order_row(scenario, order), **priced},
        [{**values, "id": item["id"]} for values, item in zip(rows, example["items"], strict=True)],
        list(ledger.changes(example["id"], orders.quantities(items), at=placed_at, cancelled_at=None)),
        _named(list(audit_log.entries(history))),
    )


def _order_row(scenario: Scenario, order: Placed) -> RowValues:
    """Return the row of an order without its amounts."""
    example = order.example
    has_event = example["id"] == data("WebhookEvent")["data"]["id"]
    return {
        "id": example["id"],
        "company_id": scenario.company_id,
        "customer_id": example["customerId"],
        "status": order.status,
        "po_number": example["poNumber"],
        "notes": example["notes"],
        "shipping_address": {name: value for name, value in example["shippingAddress"].items() if value is not None},
        "has_movements": True,
        "has_shipments": bool(example["shipments"]),
        "event_sequence": events.FIRST_SEQUENCE if has_event else 0,
        "created_at": order.placed_at,
        "updated_at": order.updated_at,
    }


def _named(entries: list[RowValues]) -> list[RowValues]:
    """Return the audit entries of an order; the one that the document names has its id."""
    named = data("AuditEntry")
    is_named = {"entity_id": named["entityId"], "action": named["action"], "details": named["metadata"]}
    return [{**entry, "id": named["id"]} if entry.items() >= is_named.items() else entry for entry in entries]
