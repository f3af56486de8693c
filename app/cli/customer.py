"""`distribu customer`: the customers of a company (contract, section 6)."""

import click

from app.cli import listing, options, output, runtime
from app.queries.listing import MAX_LIMIT
from app.schemas.customers import CUSTOMER
from app.services import customers
from models import CustomerStatus


@click.group()
def customer() -> None:
    """List customers."""


@customer.command(name="list")
@options.company
@click.option("--status", type=click.Choice([status.value for status in CustomerStatus]), help="Filter by status.")
@click.option("--email", type=options.TEXT, help="Filter by email, ignoring case.")
@options.external_id_filter
@click.option("--search", type=options.TEXT, help="Filter by a part of the email or name, ignoring case.")
@options.limit
@options.as_json
def list_all(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    status: str | None,
    email: str | None,
    external_id: str | None,
    search: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List customers, newest first."""
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            page = customers.page(
                ctx,
                limit=MAX_LIMIT,
                cursor=cursor,
                status=status,
                email=email,
                external_id=external_id,
                search=search,
            )
            return [CUSTOMER.render(row) for row in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["email", "name", "id", "externalId", "status", "creditLimit", "taxRateOverride", "createdAt"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No customers found.")
