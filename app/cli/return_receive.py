"""`distribu return receive`: record which units of a return arrived (contract, section 9.7)."""

from collections.abc import Sequence
from typing import NamedTuple

import click

from app.cli import named_items, options, return_details, runtime
from app.cli.return_details import Details
from app.context import Context
from app.db import retrying
from app.schemas.base import stored_code
from app.schemas.returns import OrderReturn, ReturnItemReceive, ReturnReceive
from app.services import orders, receipts, returns

QUANTITY = options.Count(0, options.MAX_QUANTITY)


class NamedReceipt(NamedTuple):
    """What was received of an item, as the command names it. `restocked` is None if it is not given."""

    name: str
    received: int
    restocked: int | None


class ReceivedItem(click.ParamType[NamedReceipt]):
    """An item with its quantities: `WDG-1=5:3`."""

    name = "item"

    def convert(
        self, value: str | NamedReceipt, param: click.Parameter | None, ctx: click.Context | None
    ) -> NamedReceipt:
        """Read a sku or an id, the received quantity and, after a colon, the restocked one."""
        if isinstance(value, NamedReceipt):
            return value
        name, _, quantities = value.rpartition("=")
        name, (received, _, restocked) = stored_code(options.TEXT.convert(name, param, ctx)), quantities.partition(":")
        if not name:
            self.fail(f"'{value}' is not an item with its quantities like WDG-1=5 or WDG-1=5:3.", param, ctx)
        return NamedReceipt(
            name,
            QUANTITY.convert(received, param, ctx),
            QUANTITY.convert(restocked, param, ctx) if ":" in quantities else None,
        )


@click.command()
@click.argument("return_id", metavar="RETURN_ID", type=options.TEXT)
@click.argument("items", metavar="[ITEM=RECEIVED[:RESTOCKED]]...", type=ReceivedItem(), nargs=-1)
@options.company
@click.option("--restock", is_flag=True, help="Return to stock what is received, except of items with RESTOCKED.")
@options.as_json
def receive(return_id: str, items: Sequence[NamedReceipt], slug: str, restock: bool, as_json: bool) -> None:
    """Record what arrived of an approved return, and restock it.

    An ITEM is the SKU of a product, or the id of an item of the return. Of items that are not named, everything
    arrived. Nothing is returned to stock unless RESTOCKED or --restock says so. A return is received once.
    """

    def attempt() -> Details:
        with runtime.company_context(slug, write=True) as ctx:
            draft = _draft(ctx, returns.get(ctx, return_id), items, restock=restock)
            return return_details.read(ctx, receipts.receive(ctx, return_id, draft))

    return_details.show(retrying(attempt), as_json=as_json)


def _draft(ctx: Context, found: OrderReturn, named: Sequence[NamedReceipt], *, restock: bool) -> ReturnReceive:
    """Return what was received. Raises InvalidValueError and InvalidParameterError."""
    ids = _ids(ctx, found, named)
    given = dict(zip(ids, named, strict=True))
    everything = {item.id: NamedReceipt(item.id, item.quantity, None) for item in found.items}
    return ReturnReceive(
        items=[
            ReturnItemReceive(
                return_item_id=item_id,
                received_quantity=receipt.received,
                restock_quantity=_restocked(receipt, restock=restock),
            )
            for item_id, receipt in {**everything, **given}.items()
        ]
    )


def _restocked(receipt: NamedReceipt, *, restock: bool) -> int:
    if receipt.restocked is not None:
        return receipt.restocked
    return receipt.received if restock else 0


def _ids(ctx: Context, found: OrderReturn, named: Sequence[NamedReceipt]) -> list[str]:
    """Return the ids of the items that the command names."""
    _, items, _ = orders.get(ctx, found.row.order_id)
    ordered = {item.id: item.product_sku for item in items}
    skus = {item.id: ordered[item.order_item_id] for item in found.items}
    return named_items.ids("return", skus, [receipt.name for receipt in named], member="returnItemId")
