"""`distribu return refund`: refund a received return (contract, section 9.7)."""

from decimal import Decimal

import click

from app.cli import options, output, return_details, runtime
from app.cli.return_details import Details
from app.db import retrying
from app.schemas.base import Json
from app.schemas.refunds import RefundCreate, planned_refund, return_refund
from app.services import refunds, returns
from models import CENT, MAX_AMOUNT, RefundMethod

ZERO = Decimal(0)


class Amount(click.ParamType[Decimal]):
    """An amount of money with up to two decimals."""

    name = "amount"

    def __init__(self, least: Decimal) -> None:
        """Initialize with the smallest amount."""
        self._least = least

    def convert(self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read an amount."""
        number = options.NUMBER.convert(value, param, ctx)
        if not self._least <= number <= MAX_AMOUNT:
            self.fail(f"{number} is not between {self._least} and {MAX_AMOUNT}.", param, ctx)
        if number != round(number, 2):
            self.fail(f"{number} has more than two decimals.", param, ctx)
        return number


@click.command()
@click.argument("return_id", metavar="RETURN_ID", type=options.TEXT)
@options.company
@click.option(
    "--method",
    metavar="METHOD",
    type=click.Choice([method.value for method in RefundMethod]),
    required=True,
    help="CREDIT_NOTE issues a credit note, MANUAL records a refund that was made elsewhere.",
)
@click.option(
    "--amount",
    type=Amount(CENT),
    help="The amount, shipping included. Without it: the received goods, their tax and the shipping.",
)
@click.option("--shipping", type=Amount(ZERO), default=ZERO, help="The part of the shipping to refund.")
@click.option("--reference", type=options.LimitedText(255), help="A reference, such as that of the payment.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@options.as_json
def refund(  # noqa: PLR0917 - click passes by keyword
    return_id: str,
    slug: str,
    method: str,
    amount: Decimal | None,
    shipping: Decimal,
    reference: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Refund a received return.

    A lower amount keeps a restocking fee, a higher one is goodwill. All refunds of an order together are at most its
    total.
    """
    draft = RefundCreate(
        method=RefundMethod(method), amount=amount, shipping=shipping, reference=reference or None, dry_run=dry_run
    )

    def attempt() -> tuple[Details, Json]:
        with runtime.company_context(slug, write=not dry_run) as ctx:
            details = return_details.read(ctx, returns.get(ctx, return_id))
            if dry_run:
                return details, planned_refund(refunds.preview(ctx, return_id, draft))["data"]
            return details, return_refund(refunds.refund(ctx, return_id, draft))["data"]

    details, result = retrying(attempt)
    if as_json:
        output.document(result)
        return
    return_details.show(details._replace(returned=result["return"]), as_json=False)
    _show_note(result["creditNote"], dry_run=dry_run)


def _show_note(note: Json | None, *, dry_run: bool) -> None:
    if note is not None:
        amounts = {name: note[name] for name in ("subtotal", "tax", "shipping", "total")}
        output.record({"creditNote": note["number"], **amounts, "id": note["id"]}, as_json=False)
    if dry_run:
        output.note("Nothing was changed: this was a dry run.")
