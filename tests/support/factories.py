"""Rows with valid defaults: a test states only what matters to it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.context import Actor, ActorType, Context, now
from app.db import Database
from app.services import companies, keys
from models import Product, Scope, new_id

COUNTER = itertools.count(1)
UNLIMITED = "1000000/minute"


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A company and a key of it with every scope."""

    company_id: str
    slug: str
    key: str
    key_id: str


def context(session: Any, company_id: str) -> Context:
    """Return a Context as the command line would make it."""
    actor = Actor(type=ActorType.USER, id="tester")
    return Context(session=session, actor=actor, company_id=company_id, request_id="test", now=now())


def tenant(database: Database) -> Tenant:
    """Make a company with a key whose rate limit no test meets by accident."""
    with database.transaction(write=True) as session:
        company = companies.create(session, f"Company {next(COUNTER)}", now=now())
        session.flush()
        ctx = context(session, company.id)
        key, token = keys.create(ctx, name="Everything", scopes=list(Scope), rate_limit=UNLIMITED)
        return Tenant(company_id=company.id, slug=company.slug, key=token, key_id=key.id)


def api_key(
    database: Database,
    company_id: str,
    *,
    scopes: Sequence[Scope] = tuple(Scope),
    rate_limit: str | None = UNLIMITED,
    **changes: Any,
) -> tuple[str, str]:
    """Make one more key; return its id and its plaintext. `changes` are set on the row afterwards."""
    with database.transaction(write=True) as session:
        key, token = keys.create(context(session, company_id), name="A key", scopes=scopes, rate_limit=rate_limit)
        for name, value in changes.items():
            setattr(key, name, value)
        return key.id, token


def product(database: Database, company_id: str, **fields: Any) -> str:
    """Make a product; return its id."""
    return products(database, company_id, 1, **fields)[0]


def products(database: Database, company_id: str, count: int, **fields: Any) -> list[str]:
    """Make products that differ in name and sku; return their ids in the order they were made."""
    at: datetime = fields.pop("created_at", now())
    rows = []
    for _ in range(count):
        number = next(COUNTER)
        defaults = {
            "name": f"Product {number}",
            "sku": f"SKU-{number}",
            "category": "Hardware",
            "price": Decimal("8.50"),
        }
        rows.append(
            Product(id=new_id(at), company_id=company_id, created_at=at, updated_at=at, **{**defaults, **fields})
        )
    with database.transaction(write=True) as session:
        session.add_all(rows)
    return [row.id for row in rows]
