"""Customers: translate between HTTP and `app.services.customers`."""

from typing import Any

from app.context import Context
from app.schemas.base import Created, Json
from app.schemas.customers import CustomerSchema
from app.schemas.times import load_times
from app.services import customers

SCHEMA = CustomerSchema()


def list_customers(ctx: Context, **query: Any) -> Json:
    """Answer a page of customers, filtered."""
    page = customers.page(ctx, **load_times(query))
    return SCHEMA.page(page.rows, page.next_cursor)


def get_customer(ctx: Context, customer_id: str) -> Json:
    """Answer one customer."""
    return SCHEMA.one(customers.get(ctx, customer_id))


def create_customer(ctx: Context, body: Json) -> Created:
    """Make a customer."""
    customer = customers.create(ctx, SCHEMA.load(body))
    return SCHEMA.one(customer), 201, {"Location": f"/api/v1/customers/{customer.id}"}


def update_customer(ctx: Context, customer_id: str, body: Json) -> Json:
    """Change a customer."""
    return SCHEMA.one(customers.update(ctx, customer_id, SCHEMA.load(body)))
