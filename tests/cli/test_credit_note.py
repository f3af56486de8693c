"""`distribu credit-note`. Its page is tested in `test_credit_note_page.py`."""

import pytest

from app.db import Database
from app.schemas.credit_notes import credit_note
from app.services import credit_notes
from tests.cli.conftest import Command, listed
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


class TestList:
    def test_filters_credit_notes(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        first, second = goods.refund(1), goods.refund(2)
        distribu("credit-note", "void", "CN-000001", "--reason", "Wrong goods", "--company", shop.slug)
        other = factories.customer(goods.database, shop.company_id, email="other@acme.com")

        def numbers(*options: str) -> list[str]:
            return [note["number"] for note in listed(distribu, "credit-note", shop.slug, *options)]

        both = ["CN-000002", "CN-000001"]
        assert numbers() == numbers("--order", goods.order) == numbers("--customer", "orders@acme.com") == both
        assert numbers("--status", "VOID") == numbers("--return", first.return_id) == ["CN-000001"]
        assert numbers("--status", "ISSUED") == numbers("--return", second.return_id) == numbers("--limit", "1")
        assert numbers("--customer", other) == numbers("--until", "2026-01-01") == []
        assert numbers("--since", "2026-01-01") == both

    def test_the_table_has_numbers_and_totals(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        goods.refund(2)

        out = distribu("credit-note", "list", "--company", shop.slug).out

        assert "CN-000001" in out
        assert " 18.19 " in out


class TestShow:
    @pytest.mark.parametrize("name", ["CN-000001", "cn-1", "id"])
    def test_a_credit_note_is_named_by_its_number_or_id(
        self, distribu: Command, shop: Tenant, goods: ReturnedGoods, name: str
    ) -> None:
        note = goods.refund(2, 1)

        shown = distribu(
            "credit-note", "show", note.id if name == "id" else name, "--company", shop.slug, "--json"
        ).json

        assert shown == credit_note(goods.run(lambda ctx: credit_notes.get(ctx, note.id)))

    def test_prints_customer_lines_and_amounts(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        goods.refund(2, 1)

        outcome = distribu("credit-note", "show", "CN-000001", "--company", shop.slug)

        lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
        assert lines[0] == "Credit note CN-000001"
        assert "Customer Acme Restaurants, orders@acme.com" in lines
        assert "G-1 Gadget 1 8.50 8.50" in lines
        assert lines[-4:] == ["Subtotal 25.50", "Tax 1.79", "Shipping 0.00", "Total 27.29"]
        assert outcome.err == ""

    @pytest.mark.parametrize("name", ["CN-000002", "CN-", "CN-1234567890123456789", "x"])
    def test_an_unknown_credit_note_is_not_found(
        self, distribu: Command, shop: Tenant, goods: ReturnedGoods, name: str
    ) -> None:
        goods.refund(1)

        outcome = distribu("credit-note", "show", name, "--company", shop.slug)

        assert (outcome.code, outcome.error) == (1, "Credit note not found.")

    def test_a_number_is_that_of_the_company(self, distribu: Command, goods: ReturnedGoods) -> None:
        other = factories.tenant(goods.database)
        goods.refund(1)

        outcome = distribu("credit-note", "show", "CN-000001", "--company", other.slug)

        assert (outcome.code, outcome.error) == (1, "Credit note not found.")

    def test_a_page_is_not_json(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("credit-note", "show", "CN-1", "--company", shop.slug, "--html", "--json")

        assert outcome.code == 2
        assert "Give either --html or --json." in outcome.err


class TestVoid:
    def test_voids_a_credit_note_once(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        note = goods.refund(2)
        options = ["--reason", "Wrong goods", "--company", shop.slug]

        void = distribu("credit-note", "void", note.id, *options, "--json").json

        assert (void["status"], void["reason"]) == ("VOID", "Wrong goods")
        assert void == credit_note(goods.run(lambda ctx: credit_notes.get(ctx, note.id)))
        assert "Reason" in distribu("credit-note", "show", note.id, "--company", shop.slug).out
        outcome = distribu("credit-note", "void", "CN-000001", *options)
        assert (outcome.code, outcome.error) == (1, "Credit note CN-000001 is already void.")

    @pytest.mark.parametrize(
        ("reason", "code", "message"),
        [("", 1, "The reason is empty."), ("x" * 501, 2, "must be at most 500 characters")],
    )
    def test_a_reason_is_required(
        self, distribu: Command, shop: Tenant, goods: ReturnedGoods, reason: str, code: int, message: str
    ) -> None:
        goods.refund(1)

        outcome = distribu("credit-note", "void", "CN-000001", "--reason", reason, "--company", shop.slug)

        assert outcome.code == code
        assert message in outcome.err
