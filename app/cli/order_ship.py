"""`distribu order ship`: create a shipment of an order (contract, section 9.7)."""

import re
from collections.abc import Sequence
from datetime import datetime

import click

from app import spec
from app.cli import named_items, options, output, runtime
from app.context import Context
from app.db import retrying
from app.schemas.base import Json
from app.schemas.shipments import ShipmentCreate, ShipmentItemCreate, shipment
from app.services import orders, shipments

MAX_TRACKING_NUMBERS = 20


class HttpUrl(click.ParamType[str]):
    """A URL that the document allows as `trackingUrl`."""

    name = "url"

    def __init__(self, *, may_be_empty: bool = False) -> None:
        """Initialize with whether an empty text is allowed."""
        self._may_be_empty = may_be_empty

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a URL."""
        if self._may_be_empty and not value:
            return value
        schema = spec.document()["components"]["schemas"]["ShipmentCreate"]["properties"]["trackingUrl"]
        if len(value) > schema["maxLength"] or not re.fullmatch(schema["pattern"], value):
            self.fail(
                f"must be an http or https URL of at most {schema['maxLength']} characters, "
                "with special characters percent-encoded.",
                param,
                ctx,
            )
        return value


tracking_number = click.option(
    "--tracking-number",
    "tracking_numbers",
    type=options.LimitedText(100),
    multiple=True,
    help=f"A tracking number. Repeat it for up to {MAX_TRACKING_NUMBERS} numbers.",
)


@click.command()
@click.argument("order_id", metavar="ORDER_ID", type=options.TEXT)
@click.argument("items", metavar="[ITEM=QUANTITY]...", type=options.ORDER_ITEM, nargs=-1)
@options.company
@click.option("--carrier", type=options.LimitedText(100), help="The carrier.")
@tracking_number
@click.option("--tracking-url", metavar="URL", type=HttpUrl(), help="The URL of a page that tracks the shipment.")
@click.option(
    "--shipped-at",
    metavar="TIME",
    type=options.TIME,
    help="When the goods left (ISO 8601, UTC by default). Without it, now.",
)
@options.as_json
def ship(  # noqa: PLR0917 - click passes by keyword
    order_id: str,
    items: Sequence[tuple[str, int]],
    slug: str,
    carrier: str | None,
    tracking_numbers: Sequence[str],
    tracking_url: str | None,
    shipped_at: datetime | None,
    as_json: bool,
) -> None:
    """Ship an order or a part of it.

    An ITEM is the SKU of a product, or the id of an item of the order. Without items, everything that is left is
    shipped. The first shipment of a confirmed order changes its status to SHIPPED.
    """
    numbers = unique_tracking_numbers(tracking_numbers)

    def attempt() -> Json:
        with runtime.company_context(slug, write=True) as ctx:
            draft = ShipmentCreate(
                items=_named_items(ctx, order_id, items) if items else None,
                carrier=carrier or None,
                tracking_numbers=numbers,
                tracking_url=tracking_url,
                shipped_at=shipped_at and shipped_at.replace(microsecond=shipped_at.microsecond // 1000 * 1000),
            )
            return shipment(shipments.create(ctx, order_id, draft))

    show(retrying(attempt), as_json=as_json)


def unique_tracking_numbers(given: Sequence[str]) -> list[str]:
    """Return the numbers without duplicates and empty ones. Raises UsageError if there are too many."""
    numbers = list(dict.fromkeys(number for number in given if number))
    if len(numbers) > MAX_TRACKING_NUMBERS:
        raise click.UsageError(f"Give at most {MAX_TRACKING_NUMBERS} tracking numbers, not {len(numbers)}.")
    return numbers


def show(made: Json, *, as_json: bool) -> None:
    """Print a shipment."""
    if as_json:
        output.document(made)
        return
    output.details({name: value for name, value in made.items() if name != "items" and value})
    output.records(made["items"], as_json=False, columns=["orderItemId", "quantity"], empty="No items.")


def _named_items(ctx: Context, order_id: str, named: Sequence[tuple[str, int]]) -> list[ShipmentItemCreate]:
    """Return the items that the command names. Raises NotFoundError, InvalidValueError and InvalidParameterError."""
    _, items, _ = orders.get(ctx, order_id)
    skus = {item.id: item.product_sku for item in items}
    ids = named_items.ids("order", skus, [name for name, _ in named], member="orderItemId")
    pairs = zip(ids, named, strict=True)
    return [ShipmentItemCreate(order_item_id=item_id, quantity=quantity) for item_id, (_, quantity) in pairs]
