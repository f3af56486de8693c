"""`distribu inventory`: adjust and count the stock of a company, and list its movements (contract, section 9.3)."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from app.cli import listing, options, output, runtime
from app.queries.listing import MAX_LIMIT
from app.schemas.inventory import INVENTORY_MOVEMENT, MAX_REFERENCE, InventoryAdjustmentCreate
from app.services import adjustments, movements, products
from app.services.adjustments import StockChangedError
from models import COUNT_REASONS, MAX_STOCK, SERVER_REASONS, MovementReason

MAX_DELTA = 1_000_000  # that of the API
MAX_NOTE = 500
REASONS = [reason.value for reason in MovementReason if reason not in SERVER_REASONS]


class _Delta(options.Count):
    name = "delta"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a whole number that is not 0."""
        delta = super().convert(value, param, ctx)
        if delta == 0:
            self.fail("0 changes nothing. Use 'distribu inventory count' to record a count.", param, ctx)
        return delta


def _product(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument that names a product."""
    return click.argument("identifier", metavar="SKU_OR_ID", type=options.TEXT)(command)


def _details(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every adjustment has."""
    expected = click.option(
        "--expected-stock",
        type=options.Count(0, options.MAX_INTEGER),
        help="Change nothing unless this is the current stock.",
    )
    reference = click.option(
        "--reference",
        type=options.LimitedText(MAX_REFERENCE),
        help="The number of a document, such as a delivery note.",
    )
    note = click.option("--note", type=options.LimitedText(MAX_NOTE), help="A note on the change.")
    return expected(reference(note(command)))


@click.group()
def inventory() -> None:
    """Adjust and count stock, and list its movements.

    Every change of stock is a movement with a reason. Movements are never changed or deleted.
    """


@inventory.command()
@_product
@options.company
@click.option(
    "--delta",
    metavar="N",
    type=_Delta(-MAX_DELTA, MAX_DELTA),
    required=True,
    help="The number of units to add, or to remove if negative.",
)
@click.option(
    "--reason", metavar="REASON", type=click.Choice(REASONS), required=True, help=f"One of {', '.join(REASONS)}."
)
@_details
@options.as_json
def adjust(slug: str, identifier: str, as_json: bool, **fields: Any) -> None:
    """Add units to the stock of a product, or remove them.

    RECEIVED and RETURNED add units. DAMAGED, LOST, STOLEN, EXPIRED, SAMPLE, INTERNAL_USE and VENDOR_RETURN remove them.
    """
    _adjust(slug, identifier, fields, as_json=as_json)


@inventory.command()
@_product
@click.argument("counted_stock", metavar="COUNTED_STOCK", type=options.Count(0, MAX_STOCK))
@options.company
@click.option(
    "--reason",
    metavar="REASON",
    type=click.Choice(sorted(COUNT_REASONS, reverse=True)),
    default=MovementReason.COUNT.value,
    show_default=True,
    help="COUNT or CORRECTION.",
)
@_details
@options.as_json
def count(slug: str, identifier: str, as_json: bool, **fields: Any) -> None:
    """Set the stock of a product to what was counted.

    A count that agrees with the stock is recorded too.
    """
    _adjust(slug, identifier, fields, as_json=as_json)


@inventory.command(name="movements")
@click.argument("identifier", metavar="[SKU_OR_ID]", type=options.TEXT, required=False)
@options.company
@click.option(
    "--reason",
    metavar="REASON",
    type=click.Choice([reason.value for reason in MovementReason]),
    help=f"Filter by reason: {', '.join(MovementReason)}.",
)
@click.option("--reference", type=options.TEXT, help="Filter by reference.")
@click.option("--order", "order_id", metavar="ORDER_ID", type=options.TEXT, help="Filter by order.")
@options.time_filters("movements")
@options.limit
@options.as_json
def list_movements(slug: str, identifier: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """List the movements of all products or of one, newest first."""
    with runtime.company_context(slug) as ctx:
        filters["product_id"] = None if identifier is None else products.find(ctx, identifier).id

        def fetch(cursor: str | None) -> listing.Page:
            page = movements.page(ctx, limit=MAX_LIMIT, cursor=cursor, **filters)
            rows = [INVENTORY_MOVEMENT.render(row) for row in page.rows]
            skus = {} if as_json else movements.skus(ctx, page.rows)
            return [row if as_json else {**row, "sku": skus.get(row["productId"])} for row in rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["createdAt", "sku", "delta", "stockAfter", "reason", "reference", "note", "actorId", "id"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No movements found.")


def _adjust(slug: str, identifier: str, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Adjust the stock of a product and print the movement."""
    draft = InventoryAdjustmentCreate(
        **{**fields, "reason": MovementReason(fields["reason"]), "reference": fields["reference"] or None}
    )
    with runtime.company_context(slug, write=True) as ctx:
        product = products.find(ctx, identifier)
        try:
            movement = adjustments.adjust(ctx, product.id, draft)
        except StockChangedError as error:
            advice = f"If the change is still right, use --expected-stock {error.data['found']}."
            raise click.ClickException(f"{error} {advice}") from error
    result = INVENTORY_MOVEMENT.render(movement)
    if as_json:
        output.document(result)
        return
    names = ("delta", "stockBefore", "stockAfter", "reason")
    shown = {"sku": product.sku, "product": product.name, **{name: result[name] for name in names}}
    output.record({**shown, "movementId": movement.id}, as_json=False)
    if movement.delta == 0:
        output.note("The count agrees with the stock. It was recorded, and the stock did not change.")
    if movement.stock_after <= product.low_stock_threshold:
        output.note(f"The stock is low: its threshold is {product.low_stock_threshold}.")
