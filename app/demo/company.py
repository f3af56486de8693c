"""The demo company: something believable to try the API on, the same in every installation.

Not here: the goods themselves (`app/demo/catalogue.py`), who buys them (`app/demo/customers.py`),
what they ordered (`app/demo/orders.py`, `app/demo/volume.py`), and where the demo key is kept.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from app.context import Actor, Context
from app.demo import customers as demo_customers
from app.demo import orders as demo_orders
from app.demo.catalogue import Goods, goods
from app.demo.customers import Row, Story
from app.demo.orders import Terms
from app.queries import tenant
from app.services import companies, customers, keys, orders, pricing, products
from app.services.companies import SYSTEM
from models import Company, KeyStatus, Scope, new_id

NAME = "Greenfield Wholesale"
SLUG = "demo"
KEY_NAME = "Demo key"
SEED = 20260416
PAST = timedelta(days=365)
TAX_RATE = Decimal("0.07")
SHIPPING = Decimal("9.50")
TERMS = Terms(TAX_RATE, SHIPPING)


def find(session: Session) -> Company | None:
    """Return the demo company, None before the first run."""
    return session.scalars(select(Company).where(Company.slug == SLUG)).one_or_none()


def create_company(session: Session, *, now: datetime, actor: Actor = SYSTEM) -> Company:
    """Make the demo company as if it had been there for a year; the audit log knows better."""
    company = companies.create(session, NAME, now=now, slug=SLUG, actor=actor)
    company.created_at = now - PAST
    return company


def fill(ctx: Context) -> str:
    """Give the new demo company terms, goods, customers, a year of orders, and a key with every scope.

    Returns the key's plaintext. The orders are written as history: they tell no webhook and take no stock.
    """
    companies.update(ctx, tax_rate=TAX_RATE, shipping=SHIPPING)
    for table, rows in history(ctx.company_id, ctx.now).items():
        ctx.session.connection().execute(table.insert(), rows)
    _, token = keys.create(ctx, name=KEY_NAME, scopes=list(Scope))
    return token


def history(company_id: str, now: datetime) -> dict[Table, list[Row]]:
    """Return what to write into which table, in an order that references allow; all but ids depends on `now` only."""
    chance = random.Random(SEED)  # noqa: S311 - the same figures everywhere are the point
    story = Story(company_id=company_id, now=now, length=PAST, chance=chance)
    stocked = list(_goods(story))
    sold = [each for each in stocked if each["is_active"]]
    buyers = demo_customers.buyers(story)
    agreed = list(demo_customers.agree_prices(story, buyers, sold))
    placed = list(demo_orders.orders(story, buyers, sold, TERMS))
    return {
        products.TABLE: stocked,
        customers.TABLE: [each.row for each in buyers],
        pricing.TABLE: agreed,
        orders.TABLE: [order for order, _ in placed],
        orders.ITEMS: [item for _, items in placed for item in items],
    }


def counts(ctx: Context) -> dict[str, int]:
    """Return how many products, customers and orders the demo company has."""
    return {table.name: _count(ctx, table) for table in (products.TABLE, customers.TABLE, orders.TABLE)}


def accepts(ctx: Context, token: str) -> bool:
    """Tell whether `token` is a key of the demo company that still works."""
    key = keys.find(ctx.session, keys.digest(token))
    return key is not None and key.company_id == ctx.company_id and key.status(ctx.now) is KeyStatus.ACTIVE


def _count(ctx: Context, table: Table) -> int:
    statement = select(func.count()).select_from(tenant.select(table.c.id).subquery())
    return ctx.session.execute(statement, tenant.params(ctx)).scalar_one()


def _goods(story: Story) -> Iterator[Row]:
    chance, now = story.chance, story.now
    catalogue = list(goods())
    ages = sorted((chance.random() for _ in catalogue), reverse=True)
    chance.shuffle(catalogue)
    for each, age in zip(catalogue, ages, strict=True):
        created_at = now - age * story.length
        values = _values(each, chance)
        updated_at = created_at + chance.random() * (now - created_at)
        identity = {"id": new_id(created_at), "company_id": story.company_id}
        yield {**identity, **values, "created_at": created_at, "updated_at": updated_at}


def _values(each: Goods, chance: random.Random) -> Row:
    return {
        "sku": each.sku,
        "name": each.name,
        "description": each.description,
        "category": each.category,
        "unit": each.unit,
        "price": Decimal(each.price),
        "stock": _stock(chance),
        "is_active": chance.random() > 0.03,
    }


def _stock(chance: random.Random) -> int:
    """Draw a stock: one in twenty is sold out, one in ten nearly so."""
    draw = chance.random()
    if draw < 0.05:
        return 0
    return chance.randint(1, 5) if draw < 0.15 else chance.randint(6, 480)
