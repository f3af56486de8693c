"""Refunds of returns: amounts, credit notes, refusals."""

from decimal import Decimal
from typing import Any

import pytest

from app.db import Database
from models import Refund
from tests.support import factories
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany

AMOUNTS = ("subtotal", "tax", "shipping", "total")


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> RefundsCompany:
    company = RefundsCompany(client, tenant, database)
    company.set_terms()
    return company


def amounts(note: dict[str, Any]) -> tuple[float, ...]:
    return tuple(note[name] for name in AMOUNTS)


class TestRefundReturn:
    def test_the_received_goods_and_their_tax_are_refunded(self, company: RefundsCompany) -> None:
        order = company.order(10, 5)
        assert amounts(order) == (127.5, 10.52, 12.5, 150.52)
        before = company.returned(order, 4, 2, status="APPROVED")
        before = company.received(before, (3, 1), (2, 0))

        refunded = company.refunded(before, reference=" RMA 1 ")

        after, note = refunded["return"], refunded["creditNote"]
        at = after["updatedAt"]
        changes = {"status": "REFUNDED", "refundableAmount": 0, "refundedAmount": 46.01, "method": "CREDIT_NOTE"}
        assert after == {**before, **changes, "reference": "RMA 1", "refundedAt": at, "updatedAt": at}
        assert before["refundableAmount"] == 46.01
        assert before["updatedAt"] < at
        assert company.get(before) == after
        products = [item["productSku"] for item in order["items"]]
        assert note == {
            "id": note["id"],
            "number": "CN-000001",
            "orderId": order["id"],
            "returnId": before["id"],
            "customerId": order["customerId"],
            "status": "ISSUED",
            "lines": [
                {
                    "orderItemId": item["orderItemId"],
                    "productId": item["productId"],
                    "productName": item["productName"],
                    "productSku": sku,
                    "quantity": item["receivedQuantity"],
                    "unitPrice": 8.5,
                    "lineTotal": item["receivedQuantity"] * 8.5,
                }
                for item, sku in zip(before["items"], products, strict=True)
            ],
            "subtotal": 42.5,
            "tax": 3.51,
            "shipping": 0,
            "total": 46.01,
            "reason": None,
            "issuedAt": at,
            "voidedAt": None,
        }
        assert company.get_note(note) == note

    def test_a_refund_is_recorded(self, company: RefundsCompany) -> None:
        order = company.order(10)
        returned = company.returned(order, 4, status="RECEIVED")
        count = len(company.events(returned))

        note = company.note(returned, shipping=2.5, reference="RMA 1")

        (event,), (issued,) = company.events(returned)[count:], company.events(note)
        assert event["event"] == "refund.processed"
        assert event["data"] == {
            "returnId": returned["id"],
            "orderId": order["id"],
            "customerId": order["customerId"],
            "method": "CREDIT_NOTE",
            "amount": 39.3,
            "creditNoteId": note["id"],
        }
        assert event["sequence"] == count + 1
        assert (issued["event"], issued["data"], issued["sequence"]) == ("credit_note.issued", note, 1)
        assert company.audited(returned)[-1] == (
            "refund.processed",
            {
                "before": {"status": "RECEIVED"},
                "after": {"status": "REFUNDED"},
                "method": "CREDIT_NOTE",
                "reference": "RMA 1",
                "subtotal": 34.0,
                "tax": 2.8,
                "shipping": 2.5,
                "amount": 39.3,
                "creditNoteId": note["id"],
            },
        )
        assert company.audited(note, "credit_note") == [
            (
                "credit_note.issued",
                {"number": "CN-000001", "orderId": order["id"], "returnId": returned["id"], "total": 39.3},
            )
        ]

    def test_a_manual_refund_has_no_credit_note(self, company: RefundsCompany) -> None:
        returned = company.returned(company.order(10), 4, status="RECEIVED")

        refunded = company.refunded(returned, "MANUAL", amount=30, reference="BACS 77120")

        assert refunded["creditNote"] is None
        after = refunded["return"]
        assert (after["method"], after["reference"], after["refundedAmount"]) == ("MANUAL", "BACS 77120", 30)
        assert company.events(returned)[-1]["data"]["creditNoteId"] is None
        assert company.client.get("/credit-notes").json()["data"] == []
        (row,) = company.refunds()
        assert (row.number, row.subtotal, row.tax, row.total) == (None, Decimal("27.20"), Decimal("2.80"), Decimal(30))
        assert company.last_number() == 0

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, (34.0, 2.8, 0, 36.8)),
            ({"amount": None, "shipping": 12.5}, (34.0, 2.8, 12.5, 49.3)),
            ({"amount": 30}, (27.2, 2.8, 0, 30)),
            ({"amount": 36.82}, (34.02, 2.8, 0, 36.82)),
            ({"amount": 14, "shipping": 12.5}, (0, 1.5, 12.5, 14)),
            ({"amount": 12.5, "shipping": 12.5}, (0, 0, 12.5, 12.5)),
            ({"amount": 0.01}, (0, 0.01, 0, 0.01)),
            ({"amount": 104.51}, (101.71, 2.8, 0, 104.51)),  # the whole order
        ],
    )
    def test_an_amount_is_the_whole_refund(
        self, company: RefundsCompany, fields: dict[str, Any], expected: tuple[float, ...]
    ) -> None:
        returned = company.returned(company.order(10), 4, status="RECEIVED")

        assert amounts(company.note(returned, **fields)) == expected

    def test_refunds_add_up_to_exactly_the_order(self, company: RefundsCompany) -> None:
        company.set_terms(tax_rate="0.0725", shipping="9.99")
        order = company.order_of((company.product(price=Decimal("3.33")), 7))
        returns = [company.returned(order, quantity, status="RECEIVED") for quantity in (1, 2, 3, 1)]

        notes = [company.note(returned) for returned in returns[:-1]]
        notes.append(company.note(returns[-1], shipping=9.99))

        for name in AMOUNTS:
            assert sum(Decimal(str(note[name])) for note in notes) == Decimal(str(order[name]))

    def test_a_free_order_is_refunded_with_its_shipping(self, company: RefundsCompany) -> None:
        order = company.order(2, price="0")
        returns = [company.returned(order, 1, status="RECEIVED") for _ in range(2)]

        assert amounts(company.note(returns[0])) == (0, 0, 0, 0)
        assert amounts(company.note(returns[1], shipping=12.5)) == (0, 0, 12.5, 12.5)
        assert refusals(company.refund(returns[0]))[0]["code"] == "invalid_return_transition"

    def test_numbers_are_those_of_the_company(self, company: RefundsCompany, database: Database) -> None:
        order = company.order(10)
        refused = company.returned(order, 1)
        numbers = []
        for method in ("CREDIT_NOTE", "MANUAL", "CREDIT_NOTE"):
            note = company.refunded(company.returned(order, 1, status="RECEIVED"), method)["creditNote"]
            assert company.refund(refused).status_code == 422
            numbers.append(note and note["number"])

        assert numbers == ["CN-000001", None, "CN-000002"]
        assert company.last_number() == 2
        assert factories.count(database, Refund, company.tenant.company_id) == 3

    def test_the_amounts_of_the_other_returns_change(self, company: RefundsCompany) -> None:
        order = company.order(10)
        first, second, requested = (
            company.returned(order, 2, status=status) for status in ("RECEIVED", "RECEIVED", "REQUESTED")
        )

        note = company.note(first, amount=104.51)

        after = company.get(second)
        assert after == {**second, "refundableAmount": 0, "updatedAt": after["updatedAt"]}
        assert second["updatedAt"] < after["updatedAt"]
        assert company.get(requested) == requested
        company.voided(note)
        assert company.get(second) == {**second, "updatedAt": company.get(second)["updatedAt"]}
        assert after["updatedAt"] < company.get(second)["updatedAt"]
