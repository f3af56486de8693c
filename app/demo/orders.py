"""What was ordered from the demo company in its first year: more each month, everything but the newest delivered."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from app.demo.customers import Buyer, Row, Story
from app.services import pricing
from models import OrderStatus, new_id

ORDERS = 120
OLDEST = 0.93  # of the year: there must be customers and goods already
NOTES = (
    "Deliver to dock B before 11am.",
    "Please call before delivery.",
    "Leave with reception.",
    "Cold goods first.",
    "Urgent, we are nearly out.",
)
DEAR = 100  # from this price on, nobody orders dozens


class Terms:
    """What every order of the company costs beside its goods."""

    def __init__(self, tax_rate: Decimal, shipping: Decimal) -> None:
        """Take the company's figures."""
        self.tax_rate = tax_rate
        self.shipping = shipping

    def amounts(self, buyer: Buyer, items: Sequence[Row]) -> pricing.Amounts:
        """Return the amounts of an order as `orders.place` would have frozen them."""
        override = buyer.row["tax_rate_override"]
        lines = [(item["quantity"], item["unit_price"]) for item in items]
        return pricing.amounts(lines, self.tax_rate if override is None else override, self.shipping)


def orders(
    story: Story, buyers: Sequence[Buyer], goods: Sequence[Row], terms: Terms
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield orders with their items, oldest first; nobody ordered before there was the customer and the product."""
    chance = story.chance
    ages = sorted((OLDEST * chance.random() ** 2 for _ in range(ORDERS)), reverse=True)
    for number, age in enumerate(ages, start=1):
        at = story.now - age * story.length
        buyer = chance.choice([each for each in buyers if _may_order(each, at)])
        order = _order(story, number, buyer, at)
        items = _items(order, buyer, [each for each in goods if each["created_at"] <= at], chance)
        amounts = terms.amounts(buyer, items)
        figures = {name: getattr(amounts, name) for name in ("subtotal", "tax", "shipping", "total")}
        yield order | figures, items


def _may_order(buyer: Buyer, at: datetime) -> bool:
    return buyer.row["created_at"] <= at and (buyer.ordering_ends is None or at < buyer.ordering_ends)


def _order(story: Story, number: int, buyer: Buyer, at: datetime) -> Row:
    chance = story.chance
    status, took = progress(story.now - at, chance)
    return {
        "id": new_id(at),
        "company_id": buyer.row["company_id"],
        "customer_id": buyer.row["id"],
        "status": status,
        "po_number": f"PO-{10000 + 7 * number}" if chance.random() < 0.6 else None,
        "notes": chance.choice(NOTES) if chance.random() < 0.2 else None,
        "shipping_address": buyer.address if chance.random() < 0.8 else None,
        "created_at": at,
        "updated_at": at + took,
    }


def progress(age: timedelta, chance: random.Random) -> tuple[OrderStatus, timedelta]:
    """Return how far an order of this age has come, and how long after it was placed that was."""
    took, draw = chance.uniform(0.2, 0.9), chance.random()
    if draw < 0.06:
        return OrderStatus.CANCELLED, min(age, timedelta(days=2)) * took
    if age < timedelta(days=3):
        return OrderStatus.SUBMITTED, timedelta()
    if age < timedelta(days=8):
        return OrderStatus.CONFIRMED, age * took
    if age < timedelta(days=16):
        return OrderStatus.SHIPPED, age * took
    return OrderStatus.DELIVERED, timedelta(days=16) * took


def _items(order: Row, buyer: Buyer, goods: Sequence[Row], chance: random.Random) -> list[Row]:
    """Draw a few products; what the customer has agreed prices for is bought most."""
    agreed = [each for each in goods if each["id"] in buyer.prices and chance.random() < 0.5]
    others = [each for each in goods if each["id"] not in buyer.prices]
    return [
        {
            "id": new_id(order["created_at"]),
            "company_id": order["company_id"],
            "order_id": order["id"],
            "position": position,
            "product_id": product["id"],
            "quantity": chance.randint(1, 4 if product["price"] >= DEAR else 24),
            "unit_price": buyer.prices.get(product["id"], product["price"]),
        }
        for position, product in enumerate([*agreed, *chance.sample(others, chance.randint(1, 6))])
    ]
