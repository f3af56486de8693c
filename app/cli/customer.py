"""`distribu customer`: who orders (contract, section 6)."""

from functools import partial
from typing import Any

import click

from app.cli import listing, options, output, runtime
from app.context import Context
from app.queries.listing import MAX_LIMIT
from app.schemas.customers import CustomerSchema
from app.services import customers
from models import CustomerStatus

SCHEMA = CustomerSchema()


@click.group()
def customer() -> None:
    """List customers."""


@customer.command(name="list")
@options.company
@click.option("--status", type=click.Choice([each.value for each in CustomerStatus]))
@click.option("--email", type=options.TEXT, help="The customer with this email, in any case.")
@click.option("--search", type=options.TEXT, help="A part of the email or the name, in any case.")
@options.limit
@options.as_json
def list_all(slug: str, limit: int, as_json: bool, **filters: Any) -> None:
    """List customers, newest first."""
    with runtime.company_context(slug) as ctx:
        rows = listing.rows(partial(_page, ctx, filters), limit)
    columns = ["email", "name", "id", "status", "creditLimit", "taxRateOverride", "createdAt"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No customers found.")


def _page(ctx: Context, filters: dict[str, Any], cursor: str | None) -> listing.Page:
    page = customers.page(ctx, limit=MAX_LIMIT, cursor=cursor, **filters)
    return [SCHEMA.render(row) for row in page.rows], page.next_cursor
