"""Rows with valid defaults: a test states only what matters to it."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.context import Actor, ActorType, Context, Transactions, now
from app.db import Database
from app.demo import company as demo_company
from app.services import companies, keys
from models import AuditEntry, Company, Customer, Order, PriceOverride, Product, Scope, new_id

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


def transactions(database: Database, company_id: str) -> Transactions:
    """Return what opens transactions of a company."""

    @contextmanager
    def transaction(*, write: bool = False) -> Iterator[Context]:
        with database.transaction(write=write) as session:
            yield context(session, company_id)

    return transaction


def tenant(database: Database) -> Tenant:
    """Make a company with a key whose rate limit no test meets by accident."""
    with database.transaction(write=True) as session:
        company = companies.create(session, f"Company {next(COUNTER)}", now=now())
        session.flush()
        ctx = context(session, company.id)
        key, token = keys.create(ctx, name="Everything", scopes=list(Scope), rate_limit=UNLIMITED)
        return Tenant(company_id=company.id, slug=company.slug, key=token, key_id=key.id)


def demo_key(database: Database) -> str:
    """Make the demo company unless it is there; return the plaintext of one more key of it."""
    with database.transaction(write=True) as session:
        company = demo_company.find(session)
        if company is None:
            company = demo_company.create_company(session, now=now())
            session.flush()
            demo_company.fill(context(session, company.id))
    return api_key(database, company.id)[1]


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
            Product(id=new_id(at), company_id=company_id, created_at=at, **{"updated_at": at, **defaults, **fields})
        )
    with database.transaction(write=True) as session:
        session.add_all(rows)
    return [row.id for row in rows]


def customer(database: Database, company_id: str, **fields: Any) -> str:
    """Make a customer; return its id."""
    at: datetime = fields.pop("created_at", now())
    defaults = {"email": f"buyer{next(COUNTER)}@example.com"}
    values = {"updated_at": at, **defaults, **fields}
    row = Customer(id=new_id(at), company_id=company_id, created_at=at, **values)
    with database.transaction(write=True) as session:
        session.add(row)
    return row.id


def agreed_price(database: Database, company_id: str, customer_id: str, product_id: str, price: str) -> None:
    """Agree a price of a product with a customer."""
    ids = {"id": new_id(now()), "company_id": company_id, "customer_id": customer_id, "product_id": product_id}
    with database.transaction(write=True) as session:
        session.add(PriceOverride(**ids, price=Decimal(price), created_at=now()))


def terms(database: Database, company_id: str, *, tax_rate: str = "0", shipping: str = "0") -> None:
    """Set the company's tax rate and flat shipping."""
    with database.transaction(write=True) as session:
        company = session.get_one(Company, company_id)
        company.tax_rate, company.shipping = Decimal(tax_rate), Decimal(shipping)


def draft(customer_id: str, *lines: tuple[str, int], **fields: Any) -> dict[str, Any]:
    """Return the body that places an order."""
    items = [{"productId": product_id, "quantity": quantity} for product_id, quantity in lines]
    return {"customerId": customer_id, "items": items, **fields}


def count(database: Database, model: type[Any], company_id: str) -> int:
    """Return how many rows of a table a company has."""
    with database.transaction() as session:
        return session.query(model).filter(model.company_id == company_id).count()


def orders(database: Database, company_id: str, customer_id: str, number: int) -> None:
    """Make orders without items, a second apart."""
    start = now()
    amounts = {"subtotal": Decimal(1), "tax": Decimal(0), "shipping": Decimal(0), "total": Decimal(1)}
    moments = [start - timedelta(seconds=each) for each in range(number)]
    rows = [
        Order(id=new_id(at), company_id=company_id, customer_id=customer_id, created_at=at, updated_at=at, **amounts)
        for at in moments
    ]
    with database.transaction(write=True) as session:
        session.add_all(rows)


def history(database: Database, company_id: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Make orders without items, each with `created_at`, `total` and whatever else matters; return their ids."""
    made = []
    for row in rows:
        at, total = row["created_at"], row["total"]
        amounts = {"subtotal": total, "tax": Decimal(0), "shipping": Decimal(0)}
        made.append({"id": new_id(at), "company_id": company_id, "updated_at": at, **amounts, **row})
    with database.transaction(write=True) as session:
        session.add_all([Order(**each) for each in made])
    return [each["id"] for each in made]


def audited(database: Database, company_id: str) -> list[str]:
    """Return what was done with keys of a company, the oldest first."""
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(company_id=company_id, actor_type="API_KEY")
        return [entry.action for entry in entries.order_by(AuditEntry.created_at, AuditEntry.id)]
