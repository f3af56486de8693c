"""Customers: list, get, create, update (contract, section 6)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import EmailTakenError, NotFoundError, RefusalError, refuse
from app.queries import listing, rows, tenant
from app.queries.rows import Statement
from app.queries.written_rows import Insert
from app.schemas import events as payloads
from app.schemas.base import given, given_or, stored_code
from app.schemas.customers import CUSTOMER, CustomerCreate, CustomerRow, CustomerUpdate
from app.schemas.emails import stored_email
from app.services import audit, events, unique_values
from app.services.unique_values import ExternalIdTakenError
from models import Customer, new_id, searchable
from models.base import table

TABLE = table(Customer)
COLUMNS = rows.columns(CustomerRow, TABLE)
SELECT_BY_ID = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
SELECT_ONE = Statement(CustomerRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(CustomerRow, SELECT_BY_ID.with_for_update(key_share=True))
SELECT_ID_BY_EMAIL = tenant.select(TABLE.c.id).where(TABLE.c.email == bindparam("email"))
INSERT = Insert(CustomerRow, TABLE, COLUMNS)
UPDATE = Statement(CustomerRow, tenant.update(TABLE).returning(*COLUMNS))
LISTING = listing.Listing(
    CustomerRow,
    TABLE,
    filters={"status": TABLE.c.status == bindparam("status")},
    lookups={"email": TABLE.c.email, "external_id": TABLE.c.external_id},
)


def get(ctx: Context, customer_id: str) -> CustomerRow:
    """Return one customer. Raises NotFoundError if the company has no such customer."""
    return _one(ctx, SELECT_ONE, customer_id)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    email: str | None = None,
    external_id: str | None = None,
    search: str | None = None,
    updated_since: datetime | None = None,
) -> listing.Page[CustomerRow]:
    """Return a page of customers, newest first. `search` is a substring of email or name, ignoring case."""
    filters = {
        "status": status,
        "email": None if email is None else stored_email(email),
        "external_id": None if external_id is None else stored_code(external_id),
        "search": search,
    }
    return LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)


def create(ctx: Context, draft: CustomerCreate) -> CustomerRow:
    """Create a customer. Raises EmailTakenError and ExternalIdTakenError."""
    row = {
        **asdict(draft),
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "event_sequence": events.FIRST_SEQUENCE,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    _refuse_taken(ctx, row)
    customer = unique_values.write(ctx, INSERT, row)
    audit.record(ctx, "customer.created", "customer", customer.id, {"after": CUSTOMER.render(customer)})
    events.publish(ctx, payloads.customer_created(customer))
    return customer


def update(ctx: Context, customer_id: str, draft: CustomerUpdate) -> CustomerRow:
    """Update a customer. An update that changes nothing is not recorded.

    Raises NotFoundError, PreconditionFailedError, EmailTakenError and ExternalIdTakenError.
    """
    before = _one(ctx, SELECT_ONE_FOR_UPDATE, customer_id)
    ctx.precondition.check(before, CUSTOMER.tag)
    ctx = later_than(ctx, before.updated_at)
    changed = {name: value for name, value in given(draft).items() if getattr(before, name) != value}
    if not changed:
        return before
    _refuse_taken(ctx, changed, customer_id)
    changed["search_text"] = searchable(given_or(draft.email, before.email), given_or(draft.name, before.name))
    after = unique_values.write(ctx, UPDATE, tenant.params(ctx, row_id=customer_id, updated_at=ctx.now, **changed))
    details = audit.changes(CUSTOMER.render(before), CUSTOMER.render(after))
    audit.record(ctx, "customer.updated", "customer", customer_id, details)
    events.publish(ctx, payloads.customer_updated(after))
    return after


def find(ctx: Context, identifier: str) -> CustomerRow:
    """Return the customer with this email or id. Raises NotFoundError."""
    parameters = tenant.params(ctx, email=stored_email(identifier))
    return get(ctx, ctx.session.execute(SELECT_ID_BY_EMAIL, parameters).scalar_one_or_none() or identifier)


def _one(ctx: Context, statement: Statement[CustomerRow], customer_id: str) -> CustomerRow:
    customer = statement.one_or_none(ctx.session, tenant.params(ctx, id=customer_id))
    if customer is None:
        raise NotFoundError("Customer")
    return customer


def _refuse_taken(ctx: Context, fields: Mapping[str, object], own_id: str | None = None) -> None:
    """Raise EmailTakenError or ExternalIdTakenError, with both as reasons if other customers have both."""
    values = {name: fields.get(name) for name in ("email", "external_id")}
    taken = unique_values.taken(ctx, TABLE, values, own_id)
    refusals: dict[str, RefusalError] = {"email": EmailTakenError(), "external_id": ExternalIdTakenError("A customer")}
    refuse(refusal for name, refusal in refusals.items() if name in taken)
