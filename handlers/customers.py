"""Operations tagged Customers (contract, section 6)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse
from app.schemas.customers import CUSTOMER, CUSTOMER_CREATE, CUSTOMER_UPDATE
from app.schemas.responses import created
from app.schemas.times import load_times
from app.services import customers
from app.services.versions import Version, versioned


def list_customers(ctx: Context, **query: Any) -> Json:
    """Return a page of customers."""
    page = customers.page(ctx, **load_times(query))
    return CUSTOMER.page(page.rows, page.next_cursor, page.synced_until)


@versioned(Version.of(CUSTOMER, customers.SELECT_ONE), id="customer_id")
def get_customer(ctx: Context, customer_id: str) -> StatusResponse:
    """Return one customer."""
    return CUSTOMER.one(customers.get(ctx, customer_id))


def create_customer(ctx: Context, body: Json) -> StatusResponse:
    """Create a customer and return it."""
    customer = customers.create(ctx, CUSTOMER_CREATE.load(body))
    return created(CUSTOMER.one(customer), f"/customers/{customer.id}")


def update_customer(ctx: Context, customer_id: str, body: Json) -> StatusResponse:
    """Update a customer and return it."""
    return CUSTOMER.one(customers.update(ctx, customer_id, CUSTOMER_UPDATE.load(body)))
