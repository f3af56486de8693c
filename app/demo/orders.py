"""The orders of the demo company's first year: more every month, and all but the newest delivered."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from app.demo import audit_log, ledger
from app.demo.audit_log import OrderHistory
from app.demo.customers import DemoCustomer, OrderableProduct, RowValues, Scenario
from app.demo.ledger import Change
from app.services import pricing
from models import OrderStatus, new_id

ORDERS = 120
OLDEST = 0.93  # age of the first order, as a part of the history: before it, there are too few customers and products
NOTES = (
    "Deliver to dock B before 11am.",
    "Please call before delivery.",
    "Leave with reception.",
    "Cold goods first.",
    "Urgent, we are nearly out.",
)
EXPENSIVE = 100  # from this price on, orders are for a few units


class Charges(NamedTuple):
    """What the company adds to the price of the items of an order."""

    tax_rate: Decimal
    shipping: Decimal


class PlacedOrder(NamedTuple):
    """The rows of an order, of its items and of its audit entries, and the changes of stock that it made."""

    row: RowValues
    items: list[RowValues]
    changes: list[Change]
    entries: list[RowValues]


class Item(NamedTuple):
    """An item of an order."""

    product_id: str
    quantity: int
    unit_price: Decimal


def generate(
    scenario: Scenario, customers: Sequence[DemoCustomer], products: Sequence[OrderableProduct], charges: Charges
) -> Iterator[PlacedOrder]:
    """Yield orders, oldest first. Customer and products of an order are older than the order."""
    rng = scenario.rng
    ages = sorted((OLDEST * rng.random() ** 2 for _ in range(ORDERS)), reverse=True)
    for number, age in enumerate(ages, start=1):
        created_at = scenario.now - age * scenario.length
        customer = rng.choice([customer for customer in customers if _can_order(customer, created_at)])
        order_id = new_id(created_at)
        status, delay = status_at_age(scenario.now - created_at, rng)
        times = {"created_at": created_at, "updated_at": created_at + delay}
        order = {"id": order_id, "status": status, **_order(scenario, number, customer), **times}
        items = _items(customer, [product for product in products if product.created_at <= created_at], rng)
        rows = item_rows(scenario.company_id, order_id, created_at, items)
        cancelled_at = created_at + delay if status is OrderStatus.CANCELLED else None
        priced = amounts(customer, items, charges)
        details = {
            "id": order_id,
            "status": OrderStatus.SUBMITTED,
            "total": float(priced["total"]),
            "customerId": customer.id,
            "poNumber": order["po_number"],
            "itemCount": len(items),
        }
        history = OrderHistory(scenario.company_id, order_id, details, created_at, status, created_at + delay)
        yield PlacedOrder(
            {**order, **priced},
            rows,
            list(ledger.changes(order_id, quantities(items), at=created_at, cancelled_at=cancelled_at)),
            list(audit_log.entries(history)),
        )


def quantities(items: Sequence[Item]) -> list[tuple[str, int]]:
    """Return the product and the quantity of each item."""
    return [(item.product_id, item.quantity) for item in items]


def amounts(customer: DemoCustomer, items: Sequence[Item], charges: Charges) -> dict[str, Decimal]:
    """Return the amounts of an order as `orders.place` would have calculated them."""
    override = customer.tax_rate_override
    tax_rate = charges.tax_rate if override is None else override
    result = pricing.amounts([(item.quantity, item.unit_price) for item in items], tax_rate, charges.shipping)
    return {"subtotal": result.subtotal, "tax": result.tax, "shipping": result.shipping, "total": result.total}


def item_rows(company_id: str, order_id: str, created_at: datetime, items: Sequence[Item]) -> list[RowValues]:
    """Return the rows of the items of an order."""
    return [
        {
            "id": new_id(created_at),
            "company_id": company_id,
            "order_id": order_id,
            "position": position,
            "product_id": item.product_id,
            "quantity": item.quantity,
            "unit_price": item.unit_price,
        }
        for position, item in enumerate(items)
    ]


def status_at_age(age: timedelta, rng: random.Random) -> tuple[OrderStatus, timedelta]:
    """Return the status of an order of this age, and how long after the order the status was set."""
    fraction, number = rng.uniform(0.2, 0.9), rng.random()
    if number < 0.06:
        return OrderStatus.CANCELLED, min(age, timedelta(days=2)) * fraction
    if age < timedelta(days=3):
        return OrderStatus.SUBMITTED, timedelta()
    if age < timedelta(days=8):
        return OrderStatus.CONFIRMED, age * fraction
    if age < timedelta(days=16):
        return OrderStatus.SHIPPED, age * fraction
    return OrderStatus.DELIVERED, timedelta(days=16) * fraction


def _can_order(customer: DemoCustomer, at: datetime) -> bool:
    return customer.created_at <= at and (customer.blocked_at is None or at < customer.blocked_at)


def _order(scenario: Scenario, number: int, customer: DemoCustomer) -> RowValues:
    rng = scenario.rng
    return {
        "company_id": scenario.company_id,
        "customer_id": customer.id,
        "po_number": f"PO-{10000 + 7 * number}" if rng.random() < 0.6 else None,
        "notes": rng.choice(NOTES) if rng.random() < 0.2 else None,
        "shipping_address": customer.address if rng.random() < 0.8 else None,
        "has_movements": True,
        "has_shipments": False,
        "event_sequence": 0,
    }


def _items(customer: DemoCustomer, products: Sequence[OrderableProduct], rng: random.Random) -> list[Item]:
    """Choose a few products. Those that have a price override are chosen most often."""
    overrides = customer.price_overrides
    overridden = [product for product in products if product.id in overrides and rng.random() < 0.5]
    others = [product for product in products if product.id not in overrides]
    chosen = [*overridden, *rng.sample(others, rng.randint(1, 6))]
    return [
        Item(
            product.id,
            rng.randint(1, 4 if product.price >= EXPENSIVE else 24),
            overrides.get(product.id, product.price),
        )
        for product in chosen
    ]
