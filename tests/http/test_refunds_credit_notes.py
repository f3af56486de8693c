"""Credit notes: list, get, void."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.schemas.times import parse_time
from app.services.order_refunds import TABLE
from tests.support.client import Client, messages, refusals
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany

UNKNOWN = {"id": "c" + "0" * 24}


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> RefundsCompany:
    company = RefundsCompany(client, tenant, database)
    company.set_terms()
    return company


class TestListCreditNotes:
    def test_the_last_issued_is_first(self, company: RefundsCompany) -> None:
        order = company.order(10)
        returns = [company.returned(order, 1, status="RECEIVED") for _ in range(6)]
        company.refunded(returns.pop(), "MANUAL")
        notes = [company.note(returned) for returned in returns][::-1]

        assert list(company.client.walk("/credit-notes")) == notes
        assert list(company.client.walk("/credit-notes", limit=2)) == notes
        page = company.client.get("/credit-notes", params={"limit": 2}).json()["pagination"]
        assert page == {"hasMore": True, "nextCursor": notes[1]["id"]}

    def test_notes_that_were_issued_at_the_same_time_are_in_the_order_of_their_ids(
        self, company: RefundsCompany
    ) -> None:
        order = company.order(10)
        notes = [company.note(company.returned(order, 1, status="RECEIVED")) for _ in range(5)]
        with company.database.transaction(write=True) as session:
            own = TABLE.c.company_id == company.tenant.company_id
            session.execute(sa.update(TABLE).where(own).values(refunded_at=now()))

        ids = [note["id"] for note in company.client.walk("/credit-notes", limit=2)]

        assert ids == sorted((note["id"] for note in notes), reverse=True)

    def test_filters(self, company: RefundsCompany) -> None:
        orders = [company.order(10), company.order(10)]
        returns = [company.returned(order, 1, status="RECEIVED") for order in orders for _ in range(2)]
        notes = [company.note(returned) for returned in returns]
        notes[0] = company.voided(notes[0])
        again = company.note(returns[0])

        def listed(**query: str) -> list[dict[str, Any]]:
            return list(company.client.get("/credit-notes", params=query).json()["data"][::-1])

        assert listed(status="VOID") == notes[:1]
        assert listed(status="ISSUED") == [*notes[1:], again]
        assert listed(orderId=orders[0]["id"]) == [*notes[:2], again]
        assert listed(returnId=returns[0]["id"]) == [notes[0], again]
        assert listed(returnId=returns[0]["id"], status="VOID") == notes[:1]
        assert listed(customerId=orders[1]["customerId"]) == notes[2:]
        assert listed(customerId=orders[0]["customerId"], status="ISSUED") == [notes[1], again]
        assert listed(orderId=orders[0]["id"], customerId=orders[1]["customerId"]) == []
        assert listed(since=notes[2]["issuedAt"], until=notes[3]["issuedAt"]) == notes[2:]
        for name in ("orderId", "returnId", "customerId"):
            assert listed(**{name: "unknown"}) == []

    def test_since_and_until_are_inclusive(self, company: RefundsCompany) -> None:
        note = company.note(company.returned(company.order(1), 1, status="RECEIVED"))
        at, millisecond = parse_time(note["issuedAt"]), timedelta(milliseconds=1)

        for name, included, excluded in (("since", at, at + millisecond), ("until", at, at - millisecond)):
            for time, expected in ((included, [note]), (excluded, [])):
                page = company.client.get("/credit-notes", params={name: time.isoformat()})
                assert page.json()["data"] == expected

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"status": "OPEN"}, ("/query/status", "Invalid credit note status.")),
            ({"since": "x"}, ("/query/since", "since must be a date or a time in ISO 8601")),
            ({"cursor": UNKNOWN["id"]}, ("/query/cursor", "Invalid cursor.")),
            ({"number": "CN-000001"}, ("/query/number", "number is not a known parameter")),
        ],
    )
    def test_invalid_parameters_are_rejected(
        self, company: RefundsCompany, query: dict[str, str], message: tuple[str, str]
    ) -> None:
        assert messages(company.client.get("/credit-notes", params=query)) == [message]

    def test_a_manual_refund_is_no_credit_note(self, company: RefundsCompany) -> None:
        company.refunded(company.returned(company.order(1), 1, status="RECEIVED"), "MANUAL")
        (refund,) = company.refunds()

        assert messages(company.client.get("/credit-notes", params={"cursor": refund.id}))[0][1] == "Invalid cursor."
        for response in (company.client.get(f"/credit-notes/{refund.id}"), company.void({"id": refund.id})):
            assert (response.status_code, response.json()["error"]) == (404, "Credit note not found.")


class TestGetCreditNote:
    def test_the_names_are_those_at_the_time_of_the_refund(self, company: RefundsCompany) -> None:
        order = company.order(1)
        note = company.note(company.returned(order, 1, status="RECEIVED"))
        response = company.client.get(f"/credit-notes/{note['id']}")
        product = {"name": "New", "sku": "NEW", "price": 99}

        company.client.patch(f"/products/{order['items'][0]['productId']}", json=product).raise_for_status()

        again = company.client.get(f"/credit-notes/{note['id']}")
        assert again.json()["data"] == note
        assert again.headers["etag"] == response.headers["etag"]

    def test_an_unknown_credit_note_is_not_found(self, company: RefundsCompany) -> None:
        response = company.client.get(f"/credit-notes/{UNKNOWN['id']}")

        assert (response.status_code, response.json()["error"]) == (404, "Credit note not found.")


class TestVoidCreditNote:
    def test_its_return_can_be_refunded_again(self, company: RefundsCompany) -> None:
        order = company.order(10)
        returned = company.returned(order, 4, status="RECEIVED")
        note = company.note(returned, shipping=12.5, reference="RMA 1")
        refunded = company.get(returned)

        void = company.voided(note)

        at = void["voidedAt"]
        assert void == {**note, "status": "VOID", "reason": "A mistake.", "voidedAt": at}
        assert note["issuedAt"] < at
        assert company.get_note(note) == void
        amounts = {"refundedAmount": 0, "refundableAmount": 36.8, "updatedAt": at}
        assert company.get(returned) == {**refunded, **amounts}
        second = company.note(returned, shipping=12.5)
        assert (second["number"], second["total"]) == ("CN-000002", note["total"])
        assert company.get(returned)["refundedAmount"] == 49.3
        assert refusals(company.refund(returned))[0]["currentStatus"] == "REFUNDED"

    def test_it_is_recorded(self, company: RefundsCompany) -> None:
        note = company.note(company.returned(company.order(10), 4, status="RECEIVED"))

        void = company.voided(note)

        event = company.events(note)[-1]
        assert (event["event"], event["data"], event["sequence"]) == ("credit_note.voided", void, 2)
        ids = {name: note[name] for name in ("number", "orderId", "returnId", "total")}
        assert company.audited(note, "credit_note")[-1] == ("credit_note.voided", {**ids, "reason": "A mistake."})

    def test_a_void_note_cannot_be_voided(self, company: RefundsCompany) -> None:
        note = company.note(company.returned(company.order(10), 4, status="RECEIVED"))
        void, events = company.voided(note), company.events(note)

        assert refusals(company.void(note, "Another reason.")) == [
            {
                "pointer": "",
                "code": "credit_note_void",
                "message": "Credit note CN-000001 is already void.",
                "currentStatus": "VOID",
            }
        ]
        assert company.get_note(note) == void
        assert company.events(note) == events

    @pytest.mark.parametrize(
        ("reason", "stored"), [("x", "x"), (" x ", "x"), ("x" * 500, "x" * 500), ("a\nb", "a\nb"), ("é", "é")]
    )
    def test_reasons(self, company: RefundsCompany, reason: str, stored: str) -> None:
        note = company.note(company.returned(company.order(1), 1, status="RECEIVED"))

        assert company.void(note, reason).json()["data"]["reason"] == stored

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, ("/reason", "reason is required")),
            ({"reason": None}, ("/reason", "reason must be a string")),
            ({"reason": ""}, ("/reason", "reason must not be empty, and must not contain control characters")),
            ({"reason": " \n"}, ("/reason", "reason must not be empty, and must not contain control characters")),
            ({"reason": "a\u0007"}, ("/reason", "reason must not be empty, and must not contain control characters")),
            ({"reason": "x" * 501}, ("/reason", "reason must be at most 500 characters")),
            ({"reason": "x", "status": "VOID"}, ("/status", "status is not a known field")),
        ],
    )
    def test_invalid_members_are_rejected(
        self, company: RefundsCompany, body: dict[str, Any], message: tuple[str, str]
    ) -> None:
        assert messages(company.client.post("/credit-notes/x/void", json=body)) == [message]

    def test_an_unknown_credit_note_is_not_found(self, company: RefundsCompany) -> None:
        response = company.void(UNKNOWN)

        assert (response.status_code, response.json()["error"]) == (404, "Credit note not found.")

    def test_the_sales_report_has_only_what_is_not_void(self, company: RefundsCompany) -> None:
        order = company.order(10)
        returns = [company.returned(order, 2, status="RECEIVED") for _ in range(2)]
        notes = [company.note(returned) for returned in returns]
        company.voided(notes[0])

        totals = company.client.get("/reports/sales", params={"preset": "today"}).json()["data"]["totals"]

        assert totals["refunded"] == notes[1]["total"]
        assert totals["netRevenue"] == round(order["total"] - notes[1]["total"], 2)
