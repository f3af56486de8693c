"""`distribu return`: the returns of orders (contract, section 9.7). Only the API creates returns.

Not in this module: `return receive` (`app/cli/return_receive.py`) and `return refund` (`app/cli/return_refund.py`).
"""

from typing import Any

import click

from app.cli import listing, options, output, return_details, runtime
from app.cli.return_details import Details
from app.cli.return_receive import receive
from app.cli.return_refund import refund
from app.db import retrying
from app.queries.listing import MAX_LIMIT
from app.schemas.base import NOT_GIVEN
from app.schemas.returns import ReturnUpdate, order_return
from app.services import customers, returns
from models import ReturnStatus

notes = click.option(
    "--notes", type=options.LimitedText(2000), help="Notes that replace those of the return. An empty text clears them."
)


@click.group(name="return")
def return_() -> None:
    """List, show, approve, reject, receive and refund returns."""


return_.add_command(receive)
return_.add_command(refund)


@return_.command(name="list")
@options.company
@options.status_filter(ReturnStatus)
@click.option("--order", "order_id", metavar="ORDER_ID", type=options.TEXT, help="Filter by order.")
@options.customer_filter
@options.external_id_filter
@options.time_filters("returns created")
@options.limit
@options.as_json
def list_all(slug: str, customer: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """List returns, newest first."""
    with runtime.company_context(slug) as ctx:
        customer_id = None if customer is None else customers.find(ctx, customer).id

        def fetch(cursor: str | None) -> listing.Page:
            found = returns.page(ctx, limit=MAX_LIMIT, cursor=cursor, customer_id=customer_id, **filters)
            return [order_return(one) for one in found.returns], found.page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["createdAt", "status", "refundableAmount", "refundedAmount", "id", "orderId", "externalId", "customerId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No returns found.")


@return_.command()
@click.argument("return_id", metavar="RETURN_ID", type=options.TEXT)
@options.company
@options.as_json
def show(return_id: str, slug: str, as_json: bool) -> None:
    """Show a return with its items and amounts."""
    with runtime.company_context(slug) as ctx:
        found = return_details.read(ctx, returns.get(ctx, return_id))
    return_details.show(found, as_json=as_json)


@return_.command()
@click.argument("return_id", metavar="RETURN_ID", type=options.TEXT)
@options.company
@notes
@options.as_json
def approve(return_id: str, slug: str, notes: str | None, as_json: bool) -> None:
    """Approve a requested return: the customer may send the goods."""
    _decide(return_id, slug, ReturnStatus.APPROVED, notes, as_json=as_json)


@return_.command()
@click.argument("return_id", metavar="RETURN_ID", type=options.TEXT)
@options.company
@notes
@options.as_json
def reject(return_id: str, slug: str, notes: str | None, as_json: bool) -> None:
    """Reject a return that is requested or approved. This cannot be undone."""
    _decide(return_id, slug, ReturnStatus.REJECTED, notes, as_json=as_json)


def _decide(return_id: str, slug: str, status: ReturnStatus, notes: str | None, *, as_json: bool) -> None:
    draft = ReturnUpdate(status=status, notes=NOT_GIVEN if notes is None else notes or None)

    def attempt() -> Details:
        with runtime.company_context(slug, write=True) as ctx:
            return return_details.read(ctx, returns.decide(ctx, return_id, draft))

    return_details.show(retrying(attempt), as_json=as_json)
