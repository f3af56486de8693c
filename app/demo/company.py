"""The demo company: sample data to try the API with, the same in every installation.

Not in this module: the catalogue (`app/demo/catalogue.py`), the customers (`app/demo/customers.py`), their orders
(`app/demo/orders.py`, `app/demo/volume.py`), what was shipped and returned of them (`app/demo/returns.py`), what the
examples of the document name (`app/demo/documented.py`, `app/demo/documented_records.py`), and where the demo key is
stored (`app/cli/demo.py`).
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from app.context import Actor, Context
from app.demo import catalogue, documented, documented_records, ledger, returns
from app.demo import customers as demo_customers
from app.demo import orders as demo_orders
from app.demo.catalogue import CatalogueProduct
from app.demo.customers import OrderableProduct, RowValues, Scenario
from app.demo.ledger import History, Opening
from app.demo.orders import Charges
from app.queries import tenant
from app.services import audit, companies, customers, inventory, keys, orders, prices, products
from app.services.companies import SYSTEM
from models import Company, KeyStatus, Scope, new_id

NAME = "Greenfield Wholesale"
SLUG = "demo"
KEY_NAME = "Demo key"
SEED = 20260416
LOW_STOCK_THRESHOLD = 5
HISTORY = timedelta(days=365)
CHARGES = Charges(tax_rate=Decimal("0.07"), shipping=Decimal("9.50"))


def find(session: Session) -> Company | None:
    """Return the demo company, None before the first run."""
    return session.scalars(select(Company).where(Company.slug == SLUG)).one_or_none()


def create_company(session: Session, *, now: datetime, actor: Actor = SYSTEM) -> Company:
    """Create the demo company as if it had existed for a year. Its audit entry has the actual time."""
    company = companies.create(session, NAME, now=now, slug=SLUG, actor=actor)
    company.created_at = now - HISTORY
    return company


def fill(ctx: Context) -> str:
    """Give the new demo company charges, products, customers, a year of orders and returns, and a key with every scope.

    Returns the key's plaintext. Orders are history: they are in the audit log, but not delivered to webhooks.
    """
    companies.update(ctx, tax_rate=CHARGES.tax_rate, shipping=CHARGES.shipping)
    for table, rows in history(ctx.company_id, ctx.now).items():
        ctx.session.connection().execute(table.insert(), rows)
    returns.add(ctx)
    documented_records.add(ctx)
    _, plaintext = keys.create(ctx, name=KEY_NAME, scopes=list(Scope))
    return plaintext


def history(company_id: str, now: datetime) -> dict[Table, list[RowValues]]:
    """Return the rows to insert, in an order that the foreign keys allow. Everything but ids depends on `now` only."""
    rng = random.Random(SEED)  # noqa: S311 - the same data everywhere is the point
    scenario = Scenario(company_id=company_id, now=now, length=HISTORY, rng=rng)
    product_rows, orderable = _products(scenario)
    generated = demo_customers.generate(scenario)
    ordering_customers = [customer for customer, _ in generated]
    overrides = list(demo_customers.override_prices(scenario, ordering_customers, orderable))
    placed = list(demo_orders.generate(scenario, ordering_customers, orderable, CHARGES))
    named = documented.generate(scenario, CHARGES)
    placed += named.orders
    product_rows += named.products
    sold = ledger.by_product([*named.changes, *(change for order in placed for change in order.changes)])
    histories = [
        ledger.open_product(company_id, opening, sold.get(opening.product_id, ())) for opening, _ in product_rows
    ]
    return {
        inventory.MOVEMENTS: [row for history in histories for row in history.movements],
        products.TABLE: [_after(row, history) for (_, row), history in zip(product_rows, histories, strict=True)],
        customers.TABLE: [*(row for _, row in generated), *named.customers],
        prices.TABLE: overrides,
        orders.TABLE: [order.row for order in placed],
        orders.ITEMS: [item for order in placed for item in order.items],
        audit.TABLE: [entry for order in placed for entry in order.entries],
    }


def counts(ctx: Context) -> dict[str, int]:
    """Return how many products, customers and orders the demo company has."""
    return {table.name: _count(ctx, table) for table in (products.TABLE, customers.TABLE, orders.TABLE)}


def accepts(ctx: Context, plaintext: str) -> bool:
    """Return whether `plaintext` is an active key of the demo company."""
    key = keys.find(ctx.session, keys.digest(plaintext))
    return key is not None and key.company_id == ctx.company_id and key.status(ctx.now) is KeyStatus.ACTIVE


def _count(ctx: Context, table: Table) -> int:
    statement = select(func.count()).select_from(tenant.select(table.c.id).subquery())
    return ctx.session.execute(statement, tenant.params(ctx)).scalar_one()


def _after(product: RowValues, history: History) -> RowValues:
    """Return the row of a product after its movements."""
    movements = {"stock": history.stock, "movement_sequence": history.last_sequence}
    return {**product, **movements, "updated_at": history.updated_at}


def _products(scenario: Scenario) -> tuple[list[tuple[Opening, RowValues]], list[OrderableProduct]]:
    """Return all products with their rows, and those that can be ordered."""
    rows, orderable = list[tuple[Opening, RowValues]](), list[OrderableProduct]()
    for product, created_at in _with_creation_times(scenario):
        product_id = new_id(created_at)
        stock, is_active = _stock(scenario.rng), scenario.rng.random() > 0.03
        updated_at = created_at + scenario.rng.random() * (scenario.now - created_at)
        row: RowValues = {
            "id": product_id,
            "company_id": scenario.company_id,
            "sku": product.sku,
            "name": product.name,
            "description": product.description,
            "category": product.category,
            "unit": product.unit,
            "external_id": None,
            "barcode": None,
            "price": product.price,
            "stock": stock,
            "low_stock_threshold": LOW_STOCK_THRESHOLD,
            "is_active": is_active,
            "created_at": created_at,
            "updated_at": updated_at,
        }
        rows.append((Opening(product_id, created_at, updated_at, stock), row))
        if is_active:
            orderable.append(OrderableProduct(product_id, product.price, created_at))
    return rows, orderable


def _with_creation_times(scenario: Scenario) -> Iterator[tuple[CatalogueProduct, datetime]]:
    """Yield the catalogue in random order, each product with the time at which it was created, the oldest first."""
    entries = list(catalogue.products())
    ages = sorted((scenario.rng.random() for _ in entries), reverse=True)
    scenario.rng.shuffle(entries)
    for product, age in zip(entries, ages, strict=True):
        yield product, scenario.now - age * scenario.length


def _stock(rng: random.Random) -> int:
    """Return a random stock: one in twenty is zero, one in ten is low."""
    number = rng.random()
    if number < 0.05:
        return 0
    return rng.randint(1, 5) if number < 0.15 else rng.randint(6, 480)
