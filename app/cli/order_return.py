"""`distribu return`: the returns of orders (contract, section 9.7). Only the API creates returns.

Not in this module: `return receive` (`app/cli/return_receive.py`) and `return refund` (`app/cli/return_refund.py`).
"""

from datetime import datetime

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
@click.option(
    "--status",
    metavar="STATUS",
    type=click.Choice([status.value for status in ReturnStatus]),
    help=f"Filter by status: {', '.join(ReturnStatus)}.",
)
@click.option("--order", "order_id", metavar="ORDER_ID", type=options.TEXT, help="Filter by order.")
@click.option("--customer", metavar="EMAIL_OR_ID", type=options.TEXT, help="Filter by customer.")
@click.option("--external-id", type=options.TEXT, help="Filter by the id in another system.")
@click.option(
    "--since", type=options.TIME, help="Show returns created at or after this time (ISO 8601, UTC by default)."
)
@click.option(
    "--until", type=options.END_TIME, help="Show returns created at or before this time. A date includes that day."
)
@options.limit
@options.as_json
def list_all(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    status: str | None,
    order_id: str | None,
    customer: str | None,
    external_id: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List returns, newest first."""
    with runtime.company_context(slug) as ctx:
        customer_id = None if customer is None else customers.find(ctx, customer).id

        def fetch(cursor: str | None) -> listing.Page:
            found = returns.page(
                ctx,
                limit=MAX_LIMIT,
                cursor=cursor,
                status=status,
                order_id=order_id,
                customer_id=customer_id,
                external_id=external_id,
                since=since,
                until=until,
            )
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
