"""A long and busy history for the demo company: as many orders as wanted over more than two years.

They are written as history, like those of `app/demo/orders.py`: they take no stock and tell no webhook. What
is sold is whole pallets, to branches of chains: both were there before the first of these orders.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from app.context import Context
from app.demo import customers as demo_customers
from app.demo import orders as demo_orders
from app.demo.catalogue import goods
from app.demo.customers import Buyer
from app.demo.orders import Terms
from app.queries import tenant
from app.reports import ranges
from app.services import audit, customers, orders, products
from models import CustomerStatus, new_id

PAST = timedelta(days=800)
BATCH = 5_000  # orders in one transaction: nobody else who writes waits for long
SEED = 20240229
CHAINS = ("Harvest Table", "Nordwind Markets", "Bella Cucina", "Stadtkantine", "Green Fork")
BRANCHES = 50  # of each chain
DOMAIN = "branches.example"
PALLETS = 100
PALLET = 24  # cases on one
PREFIX = "PAL-"
WEEKDAYS = (1.3, 1.1, 1.0, 1.05, 1.25, 0.35, 0.15)
GROWTH = 0.8  # more orders at the end than in the beginning
LINES = (1, 2, 2, 3, 3, 3, 4, 4, 5)  # three on average

Row = dict[str, Any]
Batch = tuple[list[Row], list[Row]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """Who buys what, on which terms."""

    company_id: str
    now: datetime
    buyers: Sequence[Buyer]
    goods: Sequence[tuple[str, Decimal]]  # id and price
    terms: Terms


def open_market(ctx: Context, terms: Terms) -> Market:
    """Return the branches and pallets of the company; the first time, make them."""
    pallets = tenant.select(products.TABLE.c.id, products.TABLE.c.price).where(products.TABLE.c.sku.startswith(PREFIX))
    branches = tenant.select(customers.TABLE.c.id, customers.TABLE.c.tax_rate_override).where(
        customers.TABLE.c.email.endswith("@" + DOMAIN)
    )
    connection = ctx.session.connection()
    if not connection.execute(pallets, tenant.params(ctx)).first():
        connection.execute(products.TABLE.insert(), list(_pallets(ctx)))
        connection.execute(customers.TABLE.insert(), list(_branches(ctx)))
    return Market(
        company_id=ctx.company_id,
        now=ctx.now,
        buyers=[
            Buyer(row=dict(row._mapping), address=_address(number), prices={})  # noqa: SLF001 - a Row's public way
            for number, row in enumerate(
                connection.execute(branches.order_by(customers.TABLE.c.id), tenant.params(ctx))
            )
        ],
        goods=[
            (row.id, row.price) for row in connection.execute(pallets.order_by(products.TABLE.c.id), tenant.params(ctx))
        ],
        terms=terms,
    )


def batches(market: Market, count: int, *, seed: int = 0) -> Iterator[Batch]:
    """Yield `count` orders with their items, oldest first. The seed is how many there were before."""
    chance = random.Random(SEED + seed)  # noqa: S311 - the same figures everywhere are the point
    drawn = _moments(market.now, count, chance)
    for first in range(0, count, BATCH):
        batch: Batch = [], []
        for number, at in enumerate((next(drawn) for _ in range(min(BATCH, count - first))), start=seed + first + 1):
            _add_order(batch, market, number, at, chance)
        yield batch


def write(ctx: Context, batch: Batch) -> None:
    """Write one batch, and note it in the audit log."""
    connection = ctx.session.connection()
    connection.execute(orders.TABLE.insert(), batch[0])
    connection.execute(orders.ITEMS.insert(), batch[1])
    audit.record(ctx, "demo.orders_added", "company", ctx.company_id, {"orders": len(batch[0])})


def _moments(now: datetime, count: int, chance: random.Random) -> Iterator[datetime]:
    """Yield when the orders are placed, in their order: fewer at weekends, more before Christmas and every year."""
    last = now.date() - ranges.DAY
    days = list(ranges.days((now - PAST).date() + ranges.DAY, last))
    until = list(accumulate(_weight(number / len(days), day) for number, day in enumerate(days)))
    done = 0
    for day, weight in zip(days, until, strict=True):
        wanted = count if day == last else round(count * weight / until[-1])
        hours = sorted(chance.triangular(4, 20, 9) for _ in range(wanted - done))
        yield from (ranges.midnight(day) + timedelta(milliseconds=int(hour * 3_600_000)) for hour in hours)
        done = max(done, wanted)


def _weight(progress: float, day: Any) -> float:
    season = 1 + 0.25 * math.cos((day.timetuple().tm_yday - 345) / 365 * 2 * math.pi)
    return WEEKDAYS[day.weekday()] * season * (1 + GROWTH * progress)


def _add_order(batch: Batch, market: Market, number: int, at: datetime, chance: random.Random) -> None:
    buyer = market.buyers[int(len(market.buyers) * chance.random() ** 2)]  # some order far more than others
    order_id = new_id(at)
    items = [
        {
            "id": new_id(at),
            "company_id": market.company_id,
            "order_id": order_id,
            "position": position,
            "product_id": product_id,
            "quantity": 1 + int(4 * chance.random()),
            "unit_price": price,
        }
        for position, (product_id, price) in enumerate(chance.sample(market.goods, chance.choice(LINES)))
    ]
    amounts = market.terms.amounts(buyer, items)
    status, took = demo_orders.progress(market.now - at, chance)
    batch[0].append(
        {
            "id": order_id,
            "company_id": market.company_id,
            "customer_id": buyer.row["id"] if chance.random() < 0.98 else None,  # the others paid at the counter
            "status": status,
            "po_number": f"PO-{at.year}-{number:06}" if chance.random() < 0.7 else None,
            "notes": chance.choice(demo_orders.NOTES) if chance.random() < 0.1 else None,
            "shipping_address": buyer.address,
            "subtotal": amounts.subtotal,
            "tax": amounts.tax,
            "shipping": amounts.shipping,
            "total": amounts.total,
            "created_at": at,
            "updated_at": at + took,
        }
    )
    batch[1].extend(items)


def _pallets(ctx: Context) -> Iterator[Row]:
    chance = random.Random(SEED)  # noqa: S311 - the same figures everywhere are the point
    at = ctx.now - PAST
    for each in chance.sample(list(goods()), PALLETS):
        yield {
            "id": new_id(at),
            "company_id": ctx.company_id,
            "sku": PREFIX + each.sku,
            "name": f"Pallet: {each.name}",
            "description": f"{PALLET} of the usual {each.unit}. {each.description}",
            "category": each.category,
            "unit": "pallet",
            "price": Decimal(each.price) * PALLET,
            "stock": chance.randint(10, 200),
            "created_at": at,
            "updated_at": at,
        }


def _branches(ctx: Context) -> Iterator[Row]:
    at = ctx.now - PAST
    for chain in CHAINS:
        for number in range(1, BRANCHES + 1):
            yield {
                "id": new_id(at),
                "company_id": ctx.company_id,
                "email": f"{chain.lower().replace(' ', '-')}-{number:02}@{DOMAIN}",
                "name": f"{chain}, branch {number}",
                "status": CustomerStatus.ACTIVE,
                "email_verified": True,
                "created_at": at,
                "updated_at": at,
            }


def _address(number: int) -> Row:
    lines = demo_customers.CUSTOMERS["DE"].strip().splitlines()
    name, _, street, place, *_ = lines[number % len(lines)].split(" | ")
    postal_code, _, city = place.partition(" ")
    return {"name": f"Next to {name}", "street": street, "postalCode": postal_code, "city": city, "country": "DE"}
