"""`distribu credit-note`: the credit notes of a company (contract, section 9.7). `return refund` issues them.

Not in this module: the page of `credit-note show --html` (`app/cli/credit_note_page.py`).
"""

from typing import Any

import click

from app.cli import credit_note_page, listing, options, output, runtime
from app.cli.return_details import customer_text
from app.context import Context
from app.db import retrying
from app.errors import InvalidValueError
from app.queries.listing import MAX_LIMIT
from app.schemas.base import Json
from app.schemas.credit_notes import CreditNoteRow, CreditNoteVoid
from app.schemas.credit_notes import credit_note as to_json
from app.schemas.customers import CustomerRow
from app.services import companies, credit_notes, customers, orders
from models import CreditNoteStatus

AMOUNTS = ("subtotal", "tax", "shipping", "total")


@click.group(name="credit-note")
def credit_note() -> None:
    """List, show, print and void credit notes."""


@credit_note.command(name="list")
@options.company
@options.status_filter(CreditNoteStatus)
@click.option("--order", "order_id", metavar="ORDER_ID", type=options.TEXT, help="Filter by order.")
@click.option("--return", "return_id", metavar="RETURN_ID", type=options.TEXT, help="Filter by return.")
@options.customer_filter
@options.time_filters("credit notes issued")
@options.limit
@options.as_json
def list_all(slug: str, customer: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """List credit notes, the last issued first."""
    with runtime.company_context(slug) as ctx:
        customer_id = None if customer is None else customers.find(ctx, customer).id

        def fetch(cursor: str | None) -> listing.Page:
            page = credit_notes.page(ctx, limit=MAX_LIMIT, cursor=cursor, customer_id=customer_id, **filters)
            return [to_json(row) for row in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["number", "issuedAt", "status", "total", "id", "orderId", "returnId", "customerId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No credit notes found.")


@credit_note.command()
@click.argument("identifier", metavar="NUMBER_OR_ID", type=options.TEXT)
@options.company
@click.option("--html", "as_html", is_flag=True, help="Print a page to file or to send, in HTML.")
@options.as_json
def show(identifier: str, slug: str, as_html: bool, as_json: bool) -> None:
    """Show a credit note with its lines and amounts.

    With --html, it is a page that can be printed on A4 and Letter, or saved as PDF with a browser:

    distribu credit-note show CN-000001 --company acme-foods --html > CN-000001.html
    """
    if as_html and as_json:
        raise click.UsageError("Give either --html or --json.")
    with runtime.company_context(slug) as ctx:
        note = credit_notes.find(ctx, identifier)
        customer = _customer(ctx, note)
        if as_html:
            order = orders.find(ctx, note.order_id)
            output.text(credit_note_page.render(note, companies.get(ctx), customer, order))
        else:
            _show(to_json(note), customer, companies.get(ctx).currency, as_json=as_json)


@credit_note.command()
@click.argument("identifier", metavar="NUMBER_OR_ID", type=options.TEXT)
@options.company
@click.option("--reason", type=options.LimitedText(500), required=True, help="Why the credit note is void.")
@options.as_json
def void(identifier: str, slug: str, reason: str, as_json: bool) -> None:
    """Void a credit note, so that its return can be refunded again. This cannot be undone.

    The credit note keeps its number.
    """
    if not reason:
        raise InvalidValueError("The reason is empty. Write why the credit note is void.")

    def attempt() -> tuple[Json, CustomerRow | None, str]:
        with runtime.company_context(slug, write=True) as ctx:
            note = credit_notes.void(ctx, credit_notes.find(ctx, identifier).id, CreditNoteVoid(reason=reason))
            return to_json(note), _customer(ctx, note), companies.get(ctx).currency

    _show(*retrying(attempt), as_json=as_json)


def _customer(ctx: Context, note: CreditNoteRow) -> CustomerRow | None:
    return None if note.customer_id is None else customers.get(ctx, note.customer_id)


def _show(note: Json, customer: CustomerRow | None, currency: str, *, as_json: bool) -> None:
    if as_json:
        output.document(note)
        return
    header = {
        "creditNote": note["number"],
        "id": note["id"],
        **{name: note[name] for name in ("status", "issuedAt", "voidedAt", "reason", "orderId", "returnId")},
        "customer": customer_text(customer),
        "currency": currency,
    }
    output.details({name: value for name, value in header.items() if value})
    columns = ["productSku", "productName", "quantity", "unitPrice", "lineTotal"]
    output.records(note["lines"], as_json=False, columns=columns, empty="No lines.")
    output.details({name: note[name] for name in AMOUNTS})
