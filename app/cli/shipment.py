"""`distribu shipment`: the shipments of orders (contract, section 9.7). `order ship` creates them."""

from collections.abc import Sequence

import click

from app.cli import listing, options, output, runtime
from app.cli.order_ship import HttpUrl, show, tracking_number, unique_tracking_numbers
from app.db import retrying
from app.queries.listing import MAX_LIMIT
from app.schemas.base import Json
from app.schemas.shipments import ShipmentUpdate
from app.schemas.shipments import shipment as to_json
from app.services import shipments


@click.group()
def shipment() -> None:
    """List shipments, and change their tracking."""


@shipment.command(name="list")
@click.argument("order_id", metavar="ORDER_ID", type=options.TEXT)
@options.company
@options.limit
@options.as_json
def list_all(order_id: str, slug: str, limit: int, as_json: bool) -> None:
    """List the shipments of an order, newest first."""
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            found, next_cursor = shipments.page(ctx, order_id, limit=MAX_LIMIT, cursor=cursor)
            return [to_json(one) for one in found], next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["shippedAt", "carrier", "trackingNumbers", "id", "quantity", "trackingUrl"]
    if not as_json:
        rows = [{**row, "quantity": sum(item["quantity"] for item in row["items"])} for row in rows]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No shipments found.")


@shipment.command()
@click.argument("order_id", metavar="ORDER_ID", type=options.TEXT)
@click.argument("shipment_id", metavar="SHIPMENT_ID", type=options.TEXT)
@options.company
@click.option("--carrier", type=options.LimitedText(100), help="The carrier.")
@tracking_number
@click.option(
    "--tracking-url",
    metavar="URL",
    type=HttpUrl(may_be_empty=True),
    help="The URL of a page that tracks the shipment.",
)
@options.as_json
def update(  # noqa: PLR0917 - click passes by keyword
    order_id: str,
    shipment_id: str,
    slug: str,
    carrier: str | None,
    tracking_numbers: Sequence[str],
    tracking_url: str | None,
    as_json: bool,
) -> None:
    """Change the carrier and the tracking of a shipment.

    Only the given options are changed. The tracking numbers replace the earlier ones, and an empty text clears a value:
    --tracking-number ''.
    """
    given: Json = {
        name: value or None
        for name, value in {"carrier": carrier, "tracking_url": tracking_url}.items()
        if value is not None
    }
    if tracking_numbers:
        given["tracking_numbers"] = unique_tracking_numbers(tracking_numbers)
    if not given:
        raise click.UsageError("Nothing to change. Give --carrier, --tracking-number or --tracking-url.")

    def attempt() -> Json:
        with runtime.company_context(slug, write=True) as ctx:
            return to_json(shipments.update(ctx, order_id, shipment_id, ShipmentUpdate(**given)))

    show(retrying(attempt), as_json=as_json)
