"""Refunds that several servers process at the same time, and a server that is killed."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from tests.support import factories, waiting
from tests.support.client import Client, Contract, refusals
from tests.support.refunds_company import RefundsCompany
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

Call = Callable[[], httpx.Response]


class RefundDesk(RefundsCompany):
    """A company, and a client of each of two servers."""

    def __init__(self, clients: Sequence[Client], tenant: factories.Tenant, database: Database) -> None:
        super().__init__(clients[0], tenant, database)
        self.clients = clients
        self.set_terms()

    def call(self, number: int, path: str, body: dict[str, Any], key: str | None = None) -> Call:
        """Return a call that sends a request, and repeats it with its key while it is refused temporarily."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        post = partial(self.clients[number % len(self.clients)].post, path, json=body, headers=headers)
        return partial(waiting.until_processed, post)

    def refund_call(self, number: int, found: dict[str, Any], key: str | None = None, **fields: Any) -> Call:
        return self.call(number, f"/returns/{found['id']}/refund", {"method": "CREDIT_NOTE", **fields}, key)

    def check(self, order: dict[str, Any]) -> None:
        """Check that the sums are exact, and that the numbers have no gap and no duplicate."""
        refunds = self.refunds()
        numbers = sorted(refund.number for refund in refunds if refund.number is not None)
        assert numbers == list(range(1, self.last_number() + 1))
        counted = [refund for refund in refunds if refund.order_id == order["id"] and refund.voided_at is None]
        for name in ("tax", "shipping", "total"):
            assert sum(getattr(refund, name) for refund in counted) <= Decimal(str(order[name]))
        returns = self.client.get("/returns", params={"orderId": order["id"], "limit": 100}).json()["data"]
        amounts = {returned["id"]: Decimal(str(returned["refundedAmount"])) for returned in returns}
        sums = dict.fromkeys(amounts, Decimal(0))
        for refund in counted:
            sums[refund.return_id] += refund.total
        assert amounts == sums


@pytest.fixture(scope="module")
def servers(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    url, directory = store.create("refund_races"), tmp_path_factory.mktemp("refund_races")
    with Server(url, directory / "one", "--no-worker") as one, Server(url, directory / "two", "--no-worker") as two:
        yield [one, two]


@pytest.fixture
def desk(servers: list[Server], contract: Contract) -> Iterator[RefundDesk]:
    database = open_database(servers[0].database_url)
    tenant = factories.tenant(database)
    clients = [Client(server.url, tenant.key, contract) for server in servers]
    yield RefundDesk(clients, tenant, database)
    for client in clients:
        client.close()
    database.dispose()


def test_one_of_several_concurrent_refunds_of_a_return_wins(desk: RefundDesk) -> None:
    order = desk.order(10)
    returned = desk.returned(order, 4, status="RECEIVED")

    responses = waiting.concurrently(*[desk.refund_call(number, returned) for number in range(6)])

    assert Counter(response.status_code for response in responses) == {200: 1, 422: 5}
    refused = [refusals(response)[0] for response in responses if response.status_code == 422]
    assert {detail["currentStatus"] for detail in refused} == {"REFUNDED"}
    assert len(desk.refunds()) == 1
    desk.check(order)


def test_concurrent_refunds_of_an_order_do_not_exceed_it(desk: RefundDesk) -> None:
    order = desk.order(6)
    assert order["total"] == 67.71
    returns = [desk.returned(order, 1, status="RECEIVED") for _ in range(6)]

    calls = [desk.refund_call(number, returned, amount=20, shipping=2.5) for number, returned in enumerate(returns)]
    responses = waiting.concurrently(*calls)

    assert Counter(response.status_code for response in responses) == {200: 3, 422: 3}
    refused = [refusals(response)[0] for response in responses if response.status_code == 422]
    assert {(detail["code"], detail["left"]) for detail in refused} == {("refund_too_high", 7.71)}
    desk.check(order)


def test_concurrent_refunds_of_everything_add_up_to_the_order(desk: RefundDesk) -> None:
    order = desk.order(7)
    returns = [desk.returned(order, 1, status="RECEIVED") for _ in range(7)]
    shipping = [12.5, *[0] * 6]

    calls = [desk.refund_call(number, returns[number], shipping=shipping[number]) for number in range(7)]
    responses = waiting.concurrently(*calls)

    assert {response.status_code for response in responses} == {200}
    for name in ("subtotal", "tax", "shipping", "total"):
        assert sum(getattr(refund, name) for refund in desk.refunds()) == Decimal(str(order[name]))
    desk.check(order)


def test_either_the_void_or_another_refund_of_the_order_comes_first(desk: RefundDesk) -> None:
    order = desk.order(2)
    first, second = (desk.returned(order, 1, status="RECEIVED") for _ in range(2))
    for _ in range(5):
        note = desk.note(first, amount=30.9)  # the whole order, so the other one fits only after the void
        void = desk.call(0, f"/credit-notes/{note['id']}/void", {"reason": "A mistake."})

        voided, refunded = waiting.concurrently(void, desk.refund_call(1, second, amount=1))

        assert voided.status_code == 200
        if refunded.status_code == 200:
            desk.voided(refunded.json()["data"]["creditNote"])
        else:
            assert refusals(refunded)[0]["left"] == 0
        desk.check(order)


def test_one_of_several_concurrent_voids_wins(desk: RefundDesk) -> None:
    order = desk.order(2)
    note = desk.note(desk.returned(order, 1, status="RECEIVED"))
    path, body = f"/credit-notes/{note['id']}/void", {"reason": "A mistake."}

    responses = waiting.concurrently(*[desk.call(number, path, body) for number in range(6)])

    assert Counter(response.status_code for response in responses) == {200: 1, 422: 5}
    assert [event["event"] for event in desk.events(note)] == ["credit_note.issued", "credit_note.voided"]
    desk.check(order)


def test_the_numbers_of_fifty_concurrent_refunds_have_no_gap_and_no_duplicate(desk: RefundDesk) -> None:
    """Every second refund is refused: before and after its number would be reserved, none is used."""
    orders = [desk.order(10) for _ in range(5)]
    returns = [desk.returned(order, 1, status="RECEIVED") for order in orders for _ in range(5)]
    requested = [desk.returned(order, 1) for order in orders]
    calls = [desk.refund_call(number, returned) for number, returned in enumerate(returns)]
    calls += [desk.refund_call(number, returned) for number, returned in enumerate(requested * 2)]
    calls += [desk.refund_call(number, returned, amount=1000) for number, returned in enumerate(returns[:15])]

    responses = waiting.concurrently(*calls)

    assert [response.status_code for response in responses[:25]] == [200] * 25
    assert {response.status_code for response in responses[25:]} == {422}
    numbers = sorted(response.json()["data"]["creditNote"]["number"] for response in responses[:25])
    assert numbers == [f"CN-{number:06}" for number in range(1, 26)]
    for order in orders:
        desk.check(order)


def test_duplicate_requests_refund_once(desk: RefundDesk) -> None:
    order, key = desk.order(10), str(uuid.uuid4())
    returned = desk.returned(order, 4, status="RECEIVED")

    responses = waiting.concurrently(*[desk.refund_call(number, returned, key) for number in range(6)])

    assert {response.content for response in responses} == {responses[0].content}
    assert responses[0].status_code == 200
    assert len(desk.refunds()) == 1
    desk.check(order)


def test_a_refund_that_committed_before_the_server_was_killed_is_replayed(
    store: SqliteStore | PostgresqlStore, contract: Contract, tmp_path: Path
) -> None:
    url = store.create("refund_killed")
    database = open_database(url)
    tenant = factories.tenant(database)
    with Server(url, tmp_path / "log", "--no-worker") as server, Client(server.url, tenant.key, contract) as client:
        desk = RefundDesk([client], tenant, database)
        order, key = desk.order(*[1] * 100), str(uuid.uuid4())
        returned = desk.returned(order, *[1] * 100, status="RECEIVED")
        with waiting.threads(partial(desk.refund, returned, key=key)) as (call,):
            waiting.eventually(desk.refunds, "the refund is committed")
            server.kill()
            server.start()
            first = call.exception(waiting.SECONDS)  # None if the response was sent before the kill

        again = desk.refund(returned, key=key)

        assert isinstance(first, httpx.TransportError | None)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json()["data"]["creditNote"]["number"] == "CN-000001"
        assert len(desk.refunds()) == 1
        desk.check(order)
    database.dispose()
