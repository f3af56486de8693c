"""Rows with valid defaults: a test states only the values that matter to it."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app import clock
from app.context import Actor, ActorType, Context, Transactions, now
from app.db import Database
from app.demo import company as demo_company
from app.services import companies, keys
from models import AuditEntry, Company, Customer, Order, PriceOverride, Product, Scope, new_id

COUNTER = itertools.count(1)
UNLIMITED = "1000000/minute"


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A company, and an API key of it with every scope."""

    company_id: str
    slug: str
    key: str
    key_id: str


def context(session: Session, company_id: str) -> Context:
    """Return a Context like that of the command line."""
    actor = Actor(type=ActorType.USER, id="tester")
    return Context(session=session, actor=actor, company_id=company_id, request_id="test", now=clock.time_of(session))


def transactions(database: Database, company_id: str) -> Transactions:
    """Return a function that opens transactions of a company."""

    @contextmanager
    def transaction(*, write: bool = False) -> Iterator[Context]:
        with database.transaction(write=write) as session:
            yield context(session, company_id)

    return transaction


def tenant(database: Database) -> Tenant:
    """Create a company, and a key whose rate limit no test reaches by accident."""
    with database.transaction(write=True) as session:
        company = companies.create(session, f"Company {next(COUNTER)}", now=clock.time_of(session))
        session.flush()
        ctx = context(session, company.id)
        key, plaintext = keys.create(ctx, name="Everything", scopes=list(Scope), rate_limit=UNLIMITED)
        return Tenant(company_id=company.id, slug=company.slug, key=plaintext, key_id=key.id)


def demo_key(database: Database, scopes: Sequence[Scope] = tuple(Scope)) -> str:
    """Create the demo company if it does not exist; return the plaintext of a new key of it."""
    with database.transaction(write=True) as session:
        company = demo_company.find(session)
        if company is None:
            company = demo_company.create_company(session, now=clock.time_of(session))
            session.flush()
            demo_company.fill(context(session, company.id))
    return api_key(database, company.id, scopes=scopes)[1]


def api_key(
    database: Database,
    company_id: str,
    *,
    scopes: Sequence[Scope] = tuple(Scope),
    rate_limit: str | None = UNLIMITED,
    **changes: Any,
) -> tuple[str, str]:
    """Create a key; return its id and its plaintext. `changes` are set on the row afterwards."""
    with database.transaction(write=True) as session:
        key, plaintext = keys.create(context(session, company_id), name="A key", scopes=scopes, rate_limit=rate_limit)
        for name, value in changes.items():
            setattr(key, name, value)
        return key.id, plaintext


def product(database: Database, company_id: str, **fields: Any) -> str:
    """Create a product; return its id."""
    return products(database, company_id, 1, **fields)[0]


def products(database: Database, company_id: str, count: int, **fields: Any) -> list[str]:
    """Create products that differ in name and sku; return their ids in the order of creation."""
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
            Product(id=new_id(at), company_id=company_id, created_at=at, **{"updated_at": at, **defaults, **fields})
        )
    with database.transaction(write=True) as session:
        session.add_all(rows)
    return [row.id for row in rows]


def customer(database: Database, company_id: str, **fields: Any) -> str:
    """Create a customer; return its id."""
    at: datetime = fields.pop("created_at", now())
    defaults = {"email": f"customer{next(COUNTER)}@example.com"}
    values = {"updated_at": at, **defaults, **fields}
    row = Customer(id=new_id(at), company_id=company_id, created_at=at, **values)
    with database.transaction(write=True) as session:
        session.add(row)
    return row.id


def price_override(
    database: Database, company_id: str, customer_id: str, product_id: str, price: str, **fields: Any
) -> None:
    """Create a price override of a product for a customer."""
    ids = {"id": new_id(now()), "company_id": company_id, "customer_id": customer_id, "product_id": product_id}
    with database.transaction(write=True) as session:
        session.add(PriceOverride(**ids, price=Decimal(price), created_at=now(), **fields))


def terms(database: Database, company_id: str, *, tax_rate: str = "0", shipping: str = "0") -> None:
    """Set the company's tax rate and flat shipping."""
    with database.transaction(write=True) as session:
        company = session.get_one(Company, company_id)
        company.tax_rate, company.shipping = Decimal(tax_rate), Decimal(shipping)


def order_body(customer_id: str, *items: tuple[str, int], **fields: Any) -> dict[str, Any]:
    """Return the request body that places an order of products in quantities."""
    content = [{"productId": product_id, "quantity": quantity} for product_id, quantity in items]
    return {"customerId": customer_id, "items": content, **fields}


def count(database: Database, model: type[Any], company_id: str) -> int:
    """Return the number of rows of a company in a table."""
    with database.transaction() as session:
        return session.query(model).filter(model.company_id == company_id).count()


def orders(database: Database, company_id: str, customer_id: str, number: int) -> None:
    """Create orders without items, one second apart."""
    start = now()
    amounts = {"subtotal": Decimal(1), "tax": Decimal(0), "shipping": Decimal(0), "total": Decimal(1)}
    times = [start - timedelta(seconds=seconds) for seconds in range(number)]
    rows = [
        Order(id=new_id(at), company_id=company_id, customer_id=customer_id, created_at=at, updated_at=at, **amounts)
        for at in times
    ]
    with database.transaction(write=True) as session:
        session.add_all(rows)


def history(database: Database, company_id: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Create orders without items from rows with at least `created_at` and `total`; return their ids."""
    values = []
    for row in rows:
        at, total = row["created_at"], row["total"]
        amounts = {"subtotal": total, "tax": Decimal(0), "shipping": Decimal(0)}
        values.append({"id": new_id(at), "company_id": company_id, "updated_at": at, **amounts, **row})
    with database.transaction(write=True) as session:
        session.add_all([Order(**row) for row in values])
    return [row["id"] for row in values]


def audited_actions(database: Database, company_id: str) -> list[str]:
    """Return the audited actions of the API keys of a company, oldest first."""
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(company_id=company_id, actor_type="API_KEY")
        return [entry.action for entry in entries.order_by(AuditEntry.created_at, AuditEntry.id)]
