"""Returns of an order that several clients create, reject and receive at the same time."""

import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from app.db import Database
from models import InventoryMovement, Return
from tests.support import waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.returns_company import ReturnsCompany

CLIENTS = 6


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> ReturnsCompany:
    return ReturnsCompany(client, tenant, database)


def actions(company: ReturnsCompany, found: dict[str, Any]) -> list[str]:
    """Return what happened to a return. Every audited action must have an event, with consecutive sequences."""
    audited = [action for action, _ in company.audited(found)]
    events = company.events(found)
    assert [event["event"] for event in events] == audited
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    return audited


def test_one_of_many_concurrent_returns_gets_the_last_unit(company: ReturnsCompany) -> None:
    for returned in (0, 2):  # the first return of an order, and a later one
        order = company.order(returned + 1)
        for _ in range(returned):
            company.returned(order, 1)
        before = company.count(Return)

        responses = waiting.concurrently(*[partial(company.send_back, order, 1)] * CLIENTS)

        assert Counter(response.status_code for response in responses) == {201: 1, 422: CLIENTS - 1}
        refused = [refusals(response)[0] for response in responses if response.status_code == 422]
        assert {(detail["code"], detail["left"]) for detail in refused} == {("return_quantity_exceeded", 0)}
        assert company.count(Return) == before + 1


def test_concurrent_returns_that_fit_are_all_created(company: ReturnsCompany) -> None:
    order = company.order(CLIENTS)

    responses = waiting.concurrently(*[partial(company.send_back, order, 1)] * CLIENTS)

    assert {response.status_code for response in responses} == {201}
    assert refusals(company.send_back(order, 1))[0]["left"] == 0


def test_one_of_many_concurrent_returns_gets_an_external_id(company: ReturnsCompany) -> None:
    orders = [company.order(1) for _ in range(CLIENTS)]

    responses = waiting.concurrently(*[partial(company.send_back, order, 1, externalId="RMA-1") for order in orders])

    assert Counter(response.status_code for response in responses) == {201: 1, 422: CLIENTS - 1}
    refused = [refusals(response)[0] for response in responses if response.status_code == 422]
    assert {detail["code"] for detail in refused} == {"external_id_taken"}


def test_either_the_receipt_or_the_rejection_wins(company: ReturnsCompany) -> None:
    for _ in range(10):
        order = company.order(2)
        product = order["items"][0]["productId"]
        made = company.returned(order, 2, status="APPROVED")

        received, rejected = waiting.concurrently(
            partial(company.receive, made, (2, 2)), partial(company.decide, made, "REJECTED")
        )

        after = company.get(made)
        first, second = (received, rejected) if after["status"] == "RECEIVED" else (rejected, received)
        assert (first.status_code, first.json()["data"]) == (200, after)
        assert refusals(second)[0]["currentStatus"] == after["status"]
        is_received = after["status"] == "RECEIVED"
        assert company.stock(product) == (100 if is_received else 98)
        assert len(company.movements(made)) == is_received
        assert actions(company, made) == ["return.created", "return.approved", f"return.{after['status'].lower()}"]


def test_either_the_rejection_or_another_return_comes_first(company: ReturnsCompany) -> None:
    for _ in range(10):
        order = company.order(1)
        made = company.returned(order, 1)

        rejected, other = waiting.concurrently(
            partial(company.decide, made, "REJECTED"), partial(company.send_back, order, 1)
        )

        assert rejected.status_code == 200
        if other.status_code == 201:
            assert other.json()["data"]["createdAt"] >= made["createdAt"]
        else:
            assert refusals(other)[0]["left"] == 0
            assert company.send_back(order, 1).status_code == 201


def test_one_of_many_concurrent_receipts_restocks(company: ReturnsCompany) -> None:
    order = company.order(3)
    made = company.returned(order, 3, status="APPROVED")

    responses = waiting.concurrently(*[partial(company.receive, made, (3, 2))] * CLIENTS)

    assert Counter(response.status_code for response in responses) == {200: 1, 422: CLIENTS - 1}
    assert company.stock(order["items"][0]["productId"]) == 99
    assert len(company.movements(made)) == 1
    assert actions(company, made) == ["return.created", "return.approved", "return.received"]


def test_duplicate_requests_receive_once(company: ReturnsCompany) -> None:
    order, key = company.order(3), str(uuid.uuid4())
    made = company.returned(order, 3, status="APPROVED")

    responses = waiting.concurrently(*[partial(company.receive, made, (3, 3), key=key)] * CLIENTS)

    assert {response.status_code for response in responses} <= {200, 409}
    found = [response.json()["data"] for response in responses if response.status_code == 200]
    assert found
    assert all(one == found[0] for one in found)
    assert company.receive(made, (3, 3), key=key).json()["data"] == found[0]
    assert company.stock(order["items"][0]["productId"]) == 100


def test_receipts_and_orders_of_the_same_products_do_not_deadlock(company: ReturnsCompany) -> None:
    one, two = (company.product(stock=100) for _ in range(2))
    orders = [company.order_of((first, 1), (second, 1)) for first, second in [(one, two), (two, one)]]
    made = [company.returned(order, 1, 1, status="APPROVED") for order in orders]
    calls: list[Callable[[], object]] = [
        *[partial(company.receive, found, (1, 1), (1, 1)) for found in made],
        *[partial(company.order_of, (first, 1), (second, 1)) for first, second in [(one, two), (two, one)] * 2],
    ]
    before = company.count(InventoryMovement)

    waiting.concurrently(*calls)

    assert [company.get(found)["status"] for found in made] == ["RECEIVED"] * 2
    assert company.count(InventoryMovement) == before + 2 * len(calls)
    assert (company.stock(one), company.stock(two)) == (96, 96)  # six orders, and two receipts
