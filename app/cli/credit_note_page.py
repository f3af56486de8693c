"""A credit note as a page that can be printed and filed: one HTML file, which loads nothing from elsewhere."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.schemas.credit_notes import CreditNoteRow, credit_note_number
from app.schemas.customers import CustomerRow
from app.schemas.orders import OrderDetailRow
from models import Company

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ADDRESS = ("name", "street", "street2")


def render(note: CreditNoteRow, company: Company, customer: CustomerRow | None, order: OrderDetailRow) -> str:
    """Return the page. Names are the current ones, and amounts those of the credit note."""
    return TEMPLATES.get_template("credit_note.html").render(
        note=note,
        number=credit_note_number(note.number),
        company=company,
        customer=customer,
        order=order,
        address=_address(order),
        amounts=_amounts(note),
    )


def _amounts(note: CreditNoteRow) -> list[tuple[str, Decimal]]:
    """Return what leads from the lines to the total. Fees and goodwill are the difference from the goods."""
    goods = sum((_exact(line["lineTotal"]) for line in note.lines), Decimal(0))
    adjustment = note.subtotal - goods
    rows = [("Goods", goods), ("Adjustment", adjustment)] if adjustment else []
    return [*rows, ("Subtotal", note.subtotal), ("Tax", note.tax), ("Shipping", note.shipping)]


def _address(order: OrderDetailRow) -> list[str]:
    """Return the lines of the shipping address of the order, none if it has none."""
    address = order.shipping_address or {}
    city = " ".join(part for part in (address.get("postalCode"), address.get("city")) if part)
    lines = [*(address.get(name) for name in ADDRESS), city, address.get("region"), address.get("country")]
    return [line for line in lines if line]


def _exact(number: Any) -> Decimal:
    """Return a number of a stored line, which has two decimals."""
    return Decimal(str(number)).quantize(Decimal("0.01"))


def _money(number: Any) -> str:
    """Return an amount like 1,234.50."""
    return f"{_exact(number):,.2f}"


TEMPLATES.filters["money"] = _money
