"""Refunds that are refused or rejected, and dry runs."""

import uuid
from typing import Any

import pytest

from app.db import Database
from models import AuditEntry, Event, StoredResponse
from tests.support.client import Client, messages, refusals
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany

UNKNOWN = {"id": "c" + "0" * 24}


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> RefundsCompany:
    company = RefundsCompany(client, tenant, database)
    company.set_terms()
    return company


class TestRefusals:
    @pytest.mark.parametrize("status", ["REQUESTED", "APPROVED", "REJECTED"])
    @pytest.mark.parametrize("fields", [{}, {"dryRun": True}], ids=["refund", "dry run"])
    def test_only_a_received_return_is_refunded(
        self, company: RefundsCompany, status: str, fields: dict[str, Any]
    ) -> None:
        returned = company.returned(company.order(10), 4, status=status)

        assert refusals(company.refund(returned, **fields)) == [
            {
                "pointer": "",
                "code": "invalid_return_transition",
                "message": f"Cannot change return status from {status} to REFUNDED.",
                "currentStatus": status,
            }
        ]
        assert company.get(returned) == returned
        assert company.refunds() == []

    @pytest.mark.parametrize("method", ["CREDIT_NOTE", "MANUAL"])
    def test_a_return_is_refunded_once(self, company: RefundsCompany, method: str) -> None:
        returned = company.returned(company.order(10), 4, status="RECEIVED")
        after = company.refunded(returned, method)["return"]

        for other in ("CREDIT_NOTE", "MANUAL"):
            assert refusals(company.refund(returned, other, amount=1))[0]["currentStatus"] == "REFUNDED"
        assert company.get(returned) == after
        assert len(company.refunds()) == 1

    def test_an_amount_is_at_most_what_is_left_of_the_order(self, company: RefundsCompany) -> None:
        order = company.order(10)
        first, second = (company.returned(order, 5, status="RECEIVED") for _ in range(2))
        company.note(first, amount=100)
        assert order["total"] == 104.51

        assert refusals(company.refund(second, amount=4.52)) == [
            {
                "pointer": "/amount",
                "code": "refund_too_high",
                "message": "Only 4.51 of the order can still be refunded.",
                "left": 4.51,
            }
        ]
        assert company.note(second, amount=4.51)["total"] == 4.51

    def test_a_refund_without_an_amount_is_at_most_what_is_left(self, company: RefundsCompany) -> None:
        order = company.order(10)
        first, second = (company.returned(order, 5, status="RECEIVED") for _ in range(2))
        company.note(first, amount=58.51)
        assert company.get(second)["refundableAmount"] == 46.0

        refused = refusals(company.refund(second, shipping=0.01))

        assert [(one["pointer"], one["code"], one["left"]) for one in refused] == [("", "refund_too_high", 46.0)]
        assert company.note(second)["total"] == 46.0

    def test_shipping_is_at_most_what_is_left_of_it(self, company: RefundsCompany) -> None:
        order = company.order(10)
        first, second = (company.returned(order, 2, status="RECEIVED") for _ in range(2))
        company.note(first, shipping=10)

        assert refusals(company.refund(second, shipping=2.51)) == [
            {
                "pointer": "/shipping",
                "code": "refund_shipping_too_high",
                "message": "Only 2.50 of the shipping can still be refunded.",
                "left": 2.5,
            }
        ]
        assert company.note(second, shipping=2.5)["shipping"] == 2.5

    def test_an_amount_includes_the_shipping(self, company: RefundsCompany) -> None:
        returned = company.returned(company.order(10), 2, status="RECEIVED")

        assert refusals(company.refund(returned, amount=12.49, shipping=12.5)) == [
            {
                "pointer": "/amount",
                "code": "amount_below_shipping",
                "message": "amount includes shipping, so it must be at least 12.50.",
            }
        ]
        assert company.note(returned, amount=12.5, shipping=12.5)["total"] == 12.5

    def test_every_reason_is_returned(self, company: RefundsCompany) -> None:
        returned = company.returned(company.order(10), 2, status="RECEIVED")

        for amount, code in ((999, "refund_too_high"), (1, "amount_below_shipping")):
            refused = refusals(company.refund(returned, amount=amount, shipping=200))
            assert [one["code"] for one in refused] == ["refund_shipping_too_high", code]

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"method": None}, "/method", "Invalid refund method."),
            ({"method": "CASH"}, "/method", "Invalid refund method."),
            ({"amount": 0}, "/amount", "amount must be at least 0.01"),
            ({"amount": -1}, "/amount", "amount must be at least 0.01"),
            ({"amount": 0.015}, "/amount", "amount must have at most 2 decimal places"),
            ({"amount": "5"}, "/amount", "amount must be a number"),
            ({"amount": 1e12}, "/amount", "amount must be at most 999999999999.99"),
            ({"shipping": -0.01}, "/shipping", "shipping must be at least 0"),
            ({"shipping": None}, "/shipping", "shipping must be a number"),
            ({"shipping": 0.001}, "/shipping", "shipping must have at most 2 decimal places"),
            ({"reference": "x" * 256}, "/reference", "reference must be at most 255 characters"),
            ({"reference": "a\u0007"}, "/reference", "reference must not contain control characters"),
            ({"dryRun": "yes"}, "/dryRun", "dryRun must be true or false"),
            ({"dryRun": None}, "/dryRun", "dryRun must be true or false"),
            ({"lines": []}, "/lines", "lines is not a known field"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, company: RefundsCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        response = company.client.post("/returns/x/refund", json={"method": "MANUAL", **fields}, headers=headers)

        assert messages(response) == [(pointer, message)]

    def test_the_method_and_the_key_are_required(self, company: RefundsCompany) -> None:
        returned = company.returned(company.order(10), 2, status="RECEIVED")
        path = f"/returns/{returned['id']}/refund"

        assert messages(company.client.post(path, json={}, headers={"Idempotency-Key": "k"})) == [
            ("/method", "method is required")
        ]
        for body in ({"method": "MANUAL"}, {"method": "MANUAL", "dryRun": True}):
            response = company.client.post(path, json=body)
            assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert company.get(returned) == returned

    def test_an_empty_reference_is_null(self, company: RefundsCompany) -> None:
        for reference in ("", " ", None):
            returned = company.returned(company.order(1), 1, status="RECEIVED")
            assert company.refunded(returned, reference=reference)["return"]["reference"] is None

    @pytest.mark.parametrize("fields", [{}, {"dryRun": True}], ids=["refund", "dry run"])
    def test_an_unknown_return_is_not_found(self, company: RefundsCompany, fields: dict[str, Any]) -> None:
        response = company.refund(UNKNOWN, **fields)

        assert (response.status_code, response.json()["error"]) == (404, "Return not found.")

    def test_a_duplicate_request_is_replayed(self, company: RefundsCompany) -> None:
        returned, key = company.returned(company.order(10), 2, status="RECEIVED"), str(uuid.uuid4())

        first, second = (company.refund(returned, key=key) for _ in range(2))

        assert first.json() == second.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert len(company.refunds()) == company.last_number() == 1
        assert refusals(company.refund(returned, key=key, amount=1))[0]["code"] == "idempotency_key_reused"


class TestDryRun:
    @pytest.mark.parametrize("method", ["CREDIT_NOTE", "MANUAL"])
    def test_it_returns_what_the_refund_returns(self, company: RefundsCompany, method: str) -> None:
        returned = company.returned(company.order(10, 3), 4, 2, status="RECEIVED")
        fields = {"amount": 30, "shipping": 5, "reference": "RMA 1"}

        planned = company.refunded(returned, method, **fields, dryRun=True)
        made = company.refunded(returned, method, **fields)

        times = {"refundedAt": made["return"]["refundedAt"], "updatedAt": made["return"]["updatedAt"]}
        assert {**planned["return"], **times} == made["return"]
        if made["creditNote"] is None:
            assert planned["creditNote"] is None
        else:
            own = {name: made["creditNote"][name] for name in ("id", "number", "issuedAt")}
            assert (planned["creditNote"]["id"], planned["creditNote"]["number"]) == (None, None)
            assert {**planned["creditNote"], **own} == made["creditNote"]

    def test_it_writes_nothing_and_stores_no_response(self, company: RefundsCompany) -> None:
        returned, key = company.returned(company.order(10), 4, status="RECEIVED"), str(uuid.uuid4())
        tables = (AuditEntry, Event, StoredResponse)
        before = [company.count(model) for model in tables]

        planned = [company.refund(returned, key=key, dryRun=True, amount=amount) for amount in (5, 6, 999)]

        assert [response.status_code for response in planned] == [200, 200, 422]
        assert all("idempotency-replayed" not in response.headers for response in planned)
        assert company.get(returned) == returned
        assert (company.refunds(), company.last_number()) == ([], 0)
        assert [company.count(model) for model in tables] == before
        made = company.refund(returned, key=key, amount=5)
        assert made.json()["data"]["creditNote"]["number"] == "CN-000001"

    def test_it_ignores_a_response_that_is_stored_for_its_key(self, company: RefundsCompany) -> None:
        order, key = company.order(10), str(uuid.uuid4())
        first, second = (company.returned(order, 4, status="RECEIVED") for _ in range(2))
        assert company.refund(first, key=key).status_code == 200

        assert company.refunded(second, key=key, dryRun=True)["creditNote"]["id"] is None
        assert refusals(company.refund(first, key=key, dryRun=True))[0]["currentStatus"] == "REFUNDED"

    def test_false_is_no_dry_run(self, company: RefundsCompany) -> None:
        returned = company.returned(company.order(10), 4, status="RECEIVED")

        assert company.note(returned, dryRun=False)["number"] == "CN-000001"
