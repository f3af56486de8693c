"""The page of a credit note: complete, escaped, and printable without a request."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import Database
from app.schemas.credit_notes import CreditNoteVoid
from app.schemas.refunds import RefundCreate
from app.services import credit_notes, customers, orders, products, refunds
from models import Company, Refund, RefundMethod
from models.base import table
from tests.cli.conftest import Command
from tests.support.browser import browser
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods

A4, LETTER = (21.0, 29.7), (21.59, 27.94)  # centimetres
PAGES = re.compile(rb"/Type\s*/Page\b")


class Text(HTMLParser):
    """The text in the body of a page, and the names of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)
        if tag == "body":
            self.words.clear()

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def __str__(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


def rename(goods: ReturnedGoods, rows: sa.Table, **values: object) -> None:
    """Change all rows of a table."""
    goods.run(lambda ctx: ctx.session.execute(rows.update().values(**values)))


def page(distribu: Command, goods: ReturnedGoods) -> str:
    outcome = distribu("credit-note", "show", "CN-000001", "--company", goods.tenant.slug, "--html")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def test_the_page_is_complete(distribu: Command, goods: ReturnedGoods) -> None:
    rename(goods, table(Company), name="Greenfield Wholesale", currency="EUR")
    rename(goods, orders.TABLE, po_number="PO-10007", shipping_address={"street": "Dock 1", "city": "Berlin"})
    note = goods.refund(2, 1)

    text = str(Text(page(distribu, goods)))

    assert "Greenfield Wholesale Credit note CN-000001 Customer Acme Restaurants orders@acme.com" in text
    assert f"Issued {note.issued_at.date()} Order PO-10007" in text
    assert "Goods were shipped to Dock 1 Berlin" in text
    assert "W-1 Widget 2 8.50 17.00 G-1 Gadget 1 8.50 8.50" in text
    assert text.endswith("Subtotal 25.50 Tax 1.79 Shipping 0.00 Total credited 27.29 EUR")
    assert "Void" not in text
    assert "Adjustment" not in text


@pytest.mark.parametrize(
    ("amount", "adjustment", "subtotal"), [("20.00", "-7.29", "18.21"), ("130.00", "102.71", "128.21")]
)
def test_a_fee_or_goodwill_is_an_adjustment(
    distribu: Command, goods: ReturnedGoods, amount: str, adjustment: str, subtotal: str
) -> None:
    made, draft = goods.receive(2, 1), RefundCreate(method=RefundMethod.CREDIT_NOTE, amount=Decimal(amount))
    goods.run(lambda ctx: refunds.refund(ctx, made.row.id, draft))

    text = str(Text(page(distribu, goods)))

    assert f"Goods 25.50 Adjustment {adjustment} Subtotal {subtotal} Tax 1.79" in text


def test_a_void_credit_note_says_so_and_why(distribu: Command, goods: ReturnedGoods) -> None:
    note = goods.refund(1)
    void = goods.run(lambda ctx: credit_notes.void(ctx, note.id, CreditNoteVoid(reason="Wrong <b>goods</b>")))

    text = str(Text(page(distribu, goods)))

    assert void.voided_at is not None
    assert text.startswith("VOID ")
    assert f"Void since {void.voided_at.date()}: Wrong <b>goods</b> Customer" in text


def test_an_order_without_customer_and_address(distribu: Command, goods: ReturnedGoods) -> None:
    goods.refund(1)
    rename(goods, table(Refund), customer_id=None)

    text = str(Text(page(distribu, goods)))

    assert "Customer - Issued" in text
    assert f"Order {goods.order} Ordered" in text


def test_values_are_escaped_and_nothing_is_loaded(distribu: Command, goods: ReturnedGoods) -> None:
    markup = "<script src='https://example.com/x.js'></script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    rename(goods, products.TABLE, name=markup)
    rename(goods, customers.TABLE, name=markup)
    rename(goods, orders.TABLE, po_number=markup, shipping_address={"street": markup})
    rename(goods, table(Company), name=markup)
    goods.refund(1)

    found = page(distribu, goods)

    assert str(Text(found)).count(markup) == 5
    assert not Text(found).elements & {"script", "img", "link", "iframe", "object"}
    assert "url(" not in found
    assert "default-src 'none'" in found


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_browser_prints_it_without_a_request(distribu: Command, goods: ReturnedGoods, tmp_path: Path) -> None:
    goods.refund(10, 4)
    file = tmp_path / "page.html"
    file.write_text(page(distribu, goods))

    with browser(tmp_path) as chromium:
        chromium.open(file.as_uri())
        is_wide = chromium.run("return document.documentElement.scrollWidth > window.innerWidth")
        loaded = chromium.run("return performance.getEntriesByType('resource').length")
        pages = [len(PAGES.findall(chromium.print(*size))) for size in (A4, LETTER)]

    assert (is_wide, loaded, pages) == (False, 0, [1, 1])
