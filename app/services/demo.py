"""The demo company: something believable to try the API on, the same in every installation.

Not here: the goods themselves (`app/services/demo_catalogue.py`) and where the demo key is kept.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.context import Context
from app.services import companies, keys
from app.services.demo_catalogue import Goods, goods
from app.services.products import TABLE
from app.services.tenant import bound, owned
from models import Company, KeyStatus, Scope, new_id

NAME = "Greenfield Wholesale"
SLUG = "demo"
KEY_NAME = "Demo key"
SEED = 20260416
PAST = timedelta(days=365)


def find(session: Session) -> Company | None:
    """Return the demo company, None before the first run."""
    return session.scalars(select(Company).where(Company.slug == SLUG)).one_or_none()


def create_company(session: Session, *, now: datetime) -> Company:
    """Make the demo company as if it had been there for a year."""
    company = companies.create(session, NAME, now=now - PAST, slug=SLUG)
    session.flush()  # its products and keys refer to it
    return company


def fill(ctx: Context) -> str:
    """Give the new demo company its catalogue and a key with every scope; return the key's plaintext."""
    ctx.session.connection().execute(TABLE.insert(), list(_rows(ctx)))
    _, token = keys.create(ctx, name=KEY_NAME, scopes=list(Scope))
    return token


def count_products(ctx: Context) -> int:
    """Return how many products the demo company has."""
    statement = select(func.count()).select_from(owned(TABLE.c.id).subquery())
    return ctx.session.execute(statement, bound(ctx)).scalar_one()


def accepts(ctx: Context, token: str) -> bool:
    """Tell whether `token` is a key of the demo company that still works."""
    key = keys.find(ctx.session, keys.digest(token))
    return key is not None and key.company_id == ctx.company_id and key.status(ctx.now) is KeyStatus.ACTIVE


def _rows(ctx: Context) -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)  # noqa: S311 - the same figures everywhere are the point
    catalogue = list(goods())
    ages = sorted((chance.random() for _ in catalogue), reverse=True)
    chance.shuffle(catalogue)
    for each, age in zip(catalogue, ages, strict=True):
        created_at = ctx.now - age * PAST
        values = _values(each, chance)
        updated_at = created_at + chance.random() * (ctx.now - created_at)
        identity = bound(ctx, id=new_id(created_at), created_at=created_at, updated_at=updated_at)
        yield identity | values


def _values(each: Goods, chance: random.Random) -> dict[str, Any]:
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
