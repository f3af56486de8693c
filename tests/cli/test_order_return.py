"""`distribu return`: list, show, approve and reject."""

import pytest

from app.db import Database
from app.schemas.returns import order_return
from tests.cli.conftest import Command, listed
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


class TestList:
    def test_json_equals_that_of_the_api(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.receive(2, 1)

        (only,) = listed(distribu, "return", shop.slug)

        assert only == order_return(goods.get(made.row.id))

    def test_filters_returns(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        older, newer = goods.approve(1).row.id, goods.request(1, external_id="R-1").row.id
        other = factories.customer(goods.database, shop.company_id, email="other@acme.com")

        def ids(*options: str) -> list[str]:
            return [found["id"] for found in listed(distribu, "return", shop.slug, *options)]

        assert ids() == ids("--order", goods.order) == ids("--customer", "orders@acme.com") == [newer, older]
        assert ids("--status", "APPROVED") == [older]
        assert ids("--external-id", "R-1") == ids("--limit", "1") == [newer]
        assert ids("--customer", other) == ids("--order", older) == ids("--until", "2026-01-01") == []
        assert ids("--since", "2026-01-01") == [newer, older]

    def test_the_table_has_status_and_amounts(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        goods.receive(2)

        out = distribu("return", "list", "--company", shop.slug).out

        assert "RECEIVED" in out
        assert " 18.19 " in out  # 17.00 and 7 percent tax

    def test_no_returns(self, distribu: Command, shop: Tenant) -> None:
        assert distribu("return", "list", "--company", shop.slug).err == "No returns found.\n"


class TestShow:
    def test_json_equals_that_of_the_api(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.receive(2, 1)

        shown = distribu("return", "show", made.row.id, "--company", shop.slug, "--json").json

        assert shown == order_return(goods.get(made.row.id))

    def test_prints_customer_items_and_amounts(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.receive(2, 1)

        outcome = distribu("return", "show", made.row.id, "--company", shop.slug)

        lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
        assert lines[:3] == [f"Return {made.row.id}", "Status RECEIVED", f"Order ID {goods.order}"]
        assert "Customer Acme Restaurants, orders@acme.com" in lines
        assert "Currency USD" in lines
        assert f"W-1 Widget 2 2 0 8.50 {made.items[0].id}" in lines
        assert lines[-2:] == ["Refundable amount 27.29", "Refunded amount 0.00"]
        assert outcome.err == ""

    def test_a_return_of_another_company_is_not_found(self, distribu: Command, goods: ReturnedGoods) -> None:
        made, other = goods.request(1), factories.tenant(goods.database)

        outcome = distribu("return", "show", made.row.id, "--company", other.slug)

        assert (outcome.code, outcome.error) == (1, "Return not found.")


class TestDecide:
    @pytest.mark.parametrize(("command", "status"), [("approve", "APPROVED"), ("reject", "REJECTED")])
    def test_changes_the_status(
        self, distribu: Command, shop: Tenant, goods: ReturnedGoods, command: str, status: str
    ) -> None:
        made = goods.request(1)

        decided = distribu("return", command, made.row.id, "--company", shop.slug, "--notes", "Call first", "--json")

        assert decided.json == order_return(goods.get(made.row.id))
        assert (decided.json["status"], decided.json["notes"]) == (status, "Call first")

    def test_an_empty_text_clears_the_notes(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.request(1)
        options = ["--company", shop.slug]

        assert "Call first" in distribu("return", "approve", made.row.id, "--notes", "Call first", *options).out
        assert distribu("return", "reject", made.row.id, "--notes", "", *options, "--json").json["notes"] is None

    def test_absent_notes_stay(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.request(1)
        distribu("return", "approve", made.row.id, "--notes", "Call first", "--company", shop.slug)

        rejected = distribu("return", "reject", made.row.id, "--company", shop.slug, "--json").json

        assert rejected["notes"] == "Call first"

    def test_a_change_that_is_not_allowed_is_refused(
        self, distribu: Command, shop: Tenant, goods: ReturnedGoods
    ) -> None:
        made = goods.approve(1)

        outcome = distribu("return", "approve", made.row.id, "--company", shop.slug)

        assert outcome.code == 1
        assert "APPROVED" in outcome.error

    def test_the_audit_log_names_the_user(self, distribu: Command, shop: Tenant, goods: ReturnedGoods) -> None:
        made = goods.request(1)
        distribu("return", "approve", made.row.id, "--company", shop.slug)

        newest = listed(distribu, "audit", shop.slug, "--limit", "1")[0]

        assert (newest["action"], newest["actorType"]) == ("return.approved", "USER")
