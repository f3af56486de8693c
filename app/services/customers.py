"""Customers: list, get, create, update (contract, section 6)."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam
from sqlalchemy.exc import IntegrityError

from app.context import Context, not_before
from app.errors import EmailTakenError, NotFoundError
from app.queries import listing, tenant
from app.schemas.base import stored_email
from app.schemas.customers import CustomerSchema
from app.services import audit, events
from models import Customer, EventType, new_id, searchable
from models.base import table

TABLE = table(Customer)
SCHEMA = CustomerSchema()
COLUMNS = SCHEMA.columns(TABLE)
ONE = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
LOCKED = ONE.with_for_update(key_share=True)
BY_EMAIL = tenant.select(TABLE.c.id).where(TABLE.c.email == bindparam("email"))
LISTING = listing.Listing(
    TABLE, COLUMNS, {"status": TABLE.c.status == bindparam("status")}, lookups={"email": TABLE.c.email}
)
RENDER = SCHEMA.render

Values = dict[str, Any]


def get(ctx: Context, customer_id: str) -> Row[Any]:
    """Return one customer. Raises NotFoundError for an unknown or foreign id."""
    return _found(ctx.session.execute(ONE, tenant.params(ctx, id=customer_id)).one_or_none())


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    email: str | None = None,
    search: str | None = None,
    updated_since: datetime | None = None,
) -> listing.Page:
    """Return a page of customers, newest first. `search` is a substring of email or name, in any case."""
    email = None if email is None else stored_email(email)
    filters = {"status": status, "email": email, "search": search, "updated_since": updated_since}
    return LISTING.page(ctx, limit=limit, cursor=cursor, **filters)


def create(ctx: Context, values: Values) -> Row[Any]:
    """Make a customer. Raises EmailTakenError."""
    row = {
        **values,
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    customer = _write(ctx, sa.insert(TABLE).values(row).returning(*COLUMNS), {})
    audit.record(ctx, "customer.created", "customer", customer.id, {"after": RENDER(customer)})
    events.publish(ctx, TABLE, customer.id, EventType.CUSTOMER_CREATED, RENDER(customer))
    return customer


def update(ctx: Context, customer_id: str, values: Values) -> Row[Any]:
    """Change a customer; what changes nothing leaves no trace. Raises NotFoundError and EmailTakenError."""
    before = _found(ctx.session.execute(LOCKED, tenant.params(ctx, id=customer_id)).one_or_none())
    ctx = not_before(ctx, before.updated_at)
    changed = {name: value for name, value in values.items() if getattr(before, name) != value}
    if not changed:
        return before
    names = {"email": before.email, "name": before.name, **changed}
    derived = {"search_text": searchable(names["email"], names["name"]), "updated_at": ctx.now}
    statement = tenant.update(TABLE).values(**changed, **derived).returning(*COLUMNS)
    after = _write(ctx, statement, tenant.params(ctx, row_id=customer_id))
    details = audit.changes(RENDER(before), RENDER(after))
    audit.record(ctx, "customer.updated", "customer", customer_id, details)
    events.publish(ctx, TABLE, customer_id, EventType.CUSTOMER_UPDATED, RENDER(after))
    return after


def find(ctx: Context, identifier: str) -> Row[Any]:
    """Return the customer with this id or email. Raises NotFoundError."""
    by_email = ctx.session.execute(BY_EMAIL, tenant.params(ctx, email=stored_email(identifier))).scalar_one_or_none()
    return get(ctx, by_email or identifier)


def _found(customer: Row[Any] | None) -> Row[Any]:
    if customer is None:
        raise NotFoundError("Customer")
    return customer


def _write(ctx: Context, statement: Any, parameters: Values) -> Row[Any]:
    """Run a statement that may meet the unique email of another customer, even one that another process just made."""
    try:
        row: Row[Any] = ctx.session.execute(statement, parameters).one()
    except IntegrityError as error:
        if "email" not in str(error.orig):
            raise
        raise EmailTakenError from error
    return row
