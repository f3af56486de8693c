"""A long history for the demo company: any number of orders over more than two years.

The orders are history, like those of `app/demo/orders.py`: they are not delivered to webhooks. They are for pallets,
ordered by branches of chains; both are created before the first of these orders. The pallets that a batch of orders
needs are received before it.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from app.context import Context
from app.demo import catalogue, ledger
from app.demo import customers as demo_customers
from app.demo import orders as demo_orders
from app.demo.customers import DemoCustomer, OrderableProduct, RowValues
from app.demo.ledger import Change, Opening
from app.demo.orders import Charges, Item
from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from app.reports import ranges
from app.services import audit, customers, inventory, orders, products
from models import CustomerStatus, OrderStatus, new_id

HISTORY = timedelta(days=800)
BATCH = 5_000  # orders in one transaction, so that other writers do not wait for long
SEED = 20240229
CHAINS = ("Harvest Table", "Nordwind Markets", "Bella Cucina", "Stadtkantine", "Green Fork")
BRANCHES = 50  # of each chain
DOMAIN = "branches.example"
PALLETS = 100
CASES_PER_PALLET = 24
SKU_PREFIX = "PAL-"
WEEKDAYS = (1.3, 1.1, 1.0, 1.05, 1.25, 0.35, 0.15)  # how busy each day of the week is
GROWTH = 0.8  # more orders at the end of the history than at its start
ITEM_COUNTS = (1, 2, 2, 3, 3, 3, 4, 4, 5)  # three on average


class PalletRow(Row):
    """A product of the history."""

    id: str
    price: Decimal
    created_at: datetime


class BranchRow(Row):
    """A customer of the history."""

    id: str
    created_at: datetime
    tax_rate_override: Decimal | None


SELECT_PALLETS = Statement(
    PalletRow,
    tenant.select(*rows.columns(PalletRow, products.TABLE))
    .where(products.TABLE.c.sku.startswith(SKU_PREFIX))
    .order_by(products.TABLE.c.id),
)
SELECT_BRANCHES = Statement(
    BranchRow,
    tenant.select(*rows.columns(BranchRow, customers.TABLE))
    .where(customers.TABLE.c.email.endswith("@" + DOMAIN))
    .order_by(customers.TABLE.c.id),
)


class Batch(NamedTuple):
    """The rows of some orders and of their items, and the changes of stock that they made."""

    orders: list[RowValues]
    items: list[RowValues]
    changes: list[Change]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeData:
    """The customers and the products of the history, and what it needs to know of the company."""

    company_id: str
    now: datetime
    customers: Sequence[DemoCustomer]
    products: Sequence[OrderableProduct]
    charges: Charges


def prepare(ctx: Context, charges: Charges) -> VolumeData:
    """Return the branches and pallets of the company. The first call creates them."""
    connection = ctx.session.connection()
    if not SELECT_PALLETS.all(connection, tenant.params(ctx)):
        pallets = list(_pallets(ctx))
        openings = [ledger.open_product(ctx.company_id, opening) for opening, _ in pallets]
        connection.execute(inventory.MOVEMENTS.insert(), [row for history in openings for row in history.movements])
        connection.execute(products.TABLE.insert(), [row for _, row in pallets])
        connection.execute(customers.TABLE.insert(), list(_branches(ctx)))
    branches = SELECT_BRANCHES.all(connection, tenant.params(ctx))
    existing = SELECT_PALLETS.all(connection, tenant.params(ctx))
    return VolumeData(
        company_id=ctx.company_id,
        now=ctx.now,
        customers=[
            DemoCustomer(
                id=branch.id,
                created_at=branch.created_at,
                blocked_at=None,
                tax_rate_override=branch.tax_rate_override,
                address=_address(number),
            )
            for number, branch in enumerate(branches)
        ],
        products=[OrderableProduct(pallet.id, pallet.price, pallet.created_at) for pallet in existing],
        charges=charges,
    )


def batches(data: VolumeData, count: int, *, seed: int = 0) -> Iterator[Batch]:
    """Yield `count` orders with their items, oldest first. The seed is the number of orders that exist already."""
    rng = random.Random(SEED + seed)  # noqa: S311 - the same data everywhere is the point
    times = _times(data.now, count, rng)
    for first in range(0, count, BATCH):
        batch = Batch([], [], [])
        for number in range(seed + first + 1, seed + min(first + BATCH, count) + 1):
            _add_order(batch, data, number, next(times), rng)
        yield batch


def write(ctx: Context, batch: Batch) -> None:
    """Insert a batch and its inventory movements, and record it in the audit log."""
    connection = ctx.session.connection()
    connection.execute(orders.TABLE.insert(), batch.orders)
    connection.execute(orders.ITEMS.insert(), batch.items)
    ledger.record(ctx, ledger.by_product(batch.changes))
    audit.record(ctx, "demo.orders_added", "company", ctx.company_id, {"orders": len(batch.orders)})


def _times(now: datetime, count: int, rng: random.Random) -> Iterator[datetime]:
    """Yield the times of the orders in order: fewer at weekends, more before Christmas and every year."""
    last = now.date() - ranges.DAY
    days = list(ranges.days((now - HISTORY).date() + ranges.DAY, last))
    cumulative = list(accumulate(_weight(number / len(days), day) for number, day in enumerate(days)))
    done = 0
    for day, weight in zip(days, cumulative, strict=True):
        wanted = count if day == last else round(count * weight / cumulative[-1])
        hours = sorted(rng.triangular(4, 20, 9) for _ in range(wanted - done))
        yield from (ranges.midnight(day) + timedelta(milliseconds=int(hour * 3_600_000)) for hour in hours)
        done = max(done, wanted)


def _weight(progress: float, day: date) -> float:
    season = 1 + 0.25 * math.cos((day.timetuple().tm_yday - 345) / 365 * 2 * math.pi)
    return WEEKDAYS[day.weekday()] * season * (1 + GROWTH * progress)


def _add_order(batch: Batch, data: VolumeData, number: int, created_at: datetime, rng: random.Random) -> None:
    customer = data.customers[int(len(data.customers) * rng.random() ** 2)]  # some order far more often than others
    order_id = new_id(created_at)
    items = [
        Item(product.id, 1 + int(4 * rng.random()), product.price)
        for product in rng.sample(data.products, rng.choice(ITEM_COUNTS))
    ]
    amounts = demo_orders.amounts(customer, items, data.charges)
    status, delay = demo_orders.status_at_age(data.now - created_at, rng)
    batch.orders.append(
        {
            "id": order_id,
            "company_id": data.company_id,
            "customer_id": customer.id if rng.random() < 0.98 else None,  # the others are orders without a customer
            "status": status,
            "po_number": f"PO-{created_at.year}-{number:06}" if rng.random() < 0.7 else None,
            "notes": rng.choice(demo_orders.NOTES) if rng.random() < 0.1 else None,
            "shipping_address": customer.address,
            **amounts,
            "has_movements": True,
            "created_at": created_at,
            "updated_at": created_at + delay,
        }
    )
    cancelled_at = created_at + delay if status is OrderStatus.CANCELLED else None
    batch.changes.extend(
        ledger.changes(order_id, demo_orders.quantities(items), at=created_at, cancelled_at=cancelled_at)
    )
    batch.items.extend(demo_orders.item_rows(data.company_id, order_id, created_at, items))


def _pallets(ctx: Context) -> Iterator[tuple[Opening, RowValues]]:
    rng = random.Random(SEED)  # noqa: S311 - the same data everywhere is the point
    created_at = ctx.now - HISTORY
    for product in rng.sample(list(catalogue.products()), PALLETS):
        opening = Opening(new_id(created_at), created_at, created_at, rng.randint(10, 200))
        row: RowValues = {
            "id": opening.product_id,
            "company_id": ctx.company_id,
            "sku": SKU_PREFIX + product.sku,
            "name": f"Pallet: {product.name}",
            "description": f"{CASES_PER_PALLET} of the usual {product.unit}. {product.description}",
            "category": product.category,
            "unit": "pallet",
            "price": product.price * CASES_PER_PALLET,
            "stock": opening.stock,
            "created_at": created_at,
            "updated_at": created_at,
        }
        yield opening, row


def _branches(ctx: Context) -> Iterator[RowValues]:
    created_at = ctx.now - HISTORY
    for chain in CHAINS:
        for number in range(1, BRANCHES + 1):
            yield {
                "id": new_id(created_at),
                "company_id": ctx.company_id,
                "email": f"{chain.lower().replace(' ', '-')}-{number:02}@{DOMAIN}",
                "name": f"{chain}, branch {number}",
                "status": CustomerStatus.ACTIVE,
                "email_verified": True,
                "created_at": created_at,
                "updated_at": created_at,
            }


def _address(number: int) -> dict[str, str]:
    lines = demo_customers.CUSTOMERS["DE"].strip().splitlines()
    name, _, street, postal_code_and_city, *_ = lines[number % len(lines)].split(" | ")
    postal_code, _, city = postal_code_and_city.partition(" ")
    return {"name": f"Next to {name}", "street": street, "postalCode": postal_code, "city": city, "country": "DE"}
