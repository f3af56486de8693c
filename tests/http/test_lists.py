"""What all lists share: the header Link, and `updatedSince` (contract, section 3)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from models import OrderStatus
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server

LISTS = ["/products", "/orders", "/customers"]
START = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


TEXT = 'ä &"<>;%'
TEXT_FILTER = {"/products": "search", "/orders": "poNumber", "/customers": "search"}


def make(
    database: Database, tenant: Tenant, path: str, created: datetime, updated: datetime, text: str | None = None
) -> str:
    values: dict[str, Any] = {"created_at": created, "updated_at": updated}
    if path == "/orders":
        return factories.history(database, tenant.company_id, [{**values, "total": Decimal(1), "po_number": text}])[0]
    one = factories.product if path == "/products" else factories.customer
    return one(database, tenant.company_id, **values, **({"name": text} if text else {}))


def target(link: str) -> str:
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    return link[1 : link.index(">")]


@pytest.mark.parametrize("path", LISTS)
class TestLink:
    def test_leads_through_the_whole_list(self, client: Client, database: Database, tenant: Tenant, path: str) -> None:
        made = [make(database, tenant, path, START + each * HOUR, START + each * HOUR) for each in range(5)]

        seen, answer = [], client.get(path, params={"limit": "2"})
        while True:
            seen += [each["id"] for each in answer.json()["data"]]
            if "Link" not in answer.headers:
                break
            assert answer.json()["pagination"]["hasMore"]
            url = target(answer.headers["Link"])
            assert url == f"/api/v1{path}?limit=2&cursor={answer.json()['pagination']['nextCursor']}"
            answer = client.get(url.removeprefix("/api/v1"))

        assert seen == made[::-1]
        assert not answer.json()["pagination"]["hasMore"]

    def test_keeps_the_other_parameters_as_they_were_meant(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        for each in range(3):
            make(database, tenant, path, START + each * HOUR, START + each * HOUR, TEXT)
        query = {TEXT_FILTER[path]: TEXT, "updatedSince": "2026-04-01T02:00:00+02:00", "limit": "1"}
        first = client.get(path, params=query)
        second = client.get(target(first.headers["Link"]).removeprefix("/api/v1"))

        for answer in (first, second):
            url = urlsplit(target(answer.headers["Link"]))
            cursor = answer.json()["pagination"]["nextCursor"]
            assert parse_qs(url.query) == {name: [value] for name, value in {**query, "cursor": cursor}.items()}

    def test_is_not_there_on_the_last_page(self, client: Client, path: str) -> None:
        assert "Link" not in client.get(path).headers


def test_what_has_no_next_page_has_no_link(client: Client, database: Database, tenant: Tenant) -> None:
    product = factories.product(database, tenant.company_id)

    for path in (f"/products/{product}", "/reports/sales", "/events", "/webhooks"):
        assert "Link" not in client.get(path).headers


@pytest.mark.parametrize("path", LISTS)
class TestUpdatedSince:
    def test_lets_through_what_was_made_or_changed_since(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        old = make(database, tenant, path, START, START + HOUR - timedelta(milliseconds=1))
        changed = make(database, tenant, path, START, START + HOUR)
        new = make(database, tenant, path, START + HOUR, START + HOUR)

        answer = client.get(path, params={"updatedSince": "2026-04-01T01:00:00Z"})

        assert [each["id"] for each in answer.json()["data"]] == [new, changed]
        everything = client.get(path, params={"updatedSince": "2026-04-01"}).json()["data"]
        assert [each["id"] for each in everything] == [new, *sorted([old, changed], reverse=True)]

    @pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "", "2026-04-01T25:00"])
    def test_refuses_what_is_no_time(self, client: Client, path: str, text: str) -> None:
        answer = client.get(path, params={"updatedSince": text})

        assert answer.status_code == 400
        assert answer.json()["error"] == "updatedSince must be a date or a time in ISO 8601"
        assert answer.json()["details"][0]["pointer"] == "/query/updatedSince"


SPANS = st.tuples(st.integers(0, 5), st.integers(0, 5))  # created, changed so much later: in hours
NO_RESET = [HealthCheck.function_scoped_fixture]


@settings(max_examples=40, deadline=None, suppress_health_check=NO_RESET)
@given(
    spans=st.lists(st.tuples(SPANS, st.sampled_from(OrderStatus)), max_size=12),
    limit=st.integers(1, 4),
    since=st.integers(0, 10),
    created=st.tuples(st.integers(0, 6) | st.none(), st.integers(0, 6) | st.none()),
    status=st.sampled_from(OrderStatus) | st.none(),
)
def test_a_walk_over_what_was_changed_sees_each_order_once_and_in_order(
    server: Server,
    database: Database,
    contract: Contract,
    spans: list[tuple[tuple[int, int], OrderStatus]],
    limit: int,
    since: int,
    created: tuple[int | None, int | None],
    status: OrderStatus | None,
) -> None:
    tenant = factories.tenant(database)
    orders: list[dict[str, Any]] = [
        {
            "created_at": START + made * HOUR,
            "updated_at": START + (made + later) * HOUR,
            "status": each,
            "total": Decimal(1),
        }
        for (made, later), each in spans
    ]
    ids = factories.history(database, tenant.company_id, orders)
    first, last = (
        START + (bound if bound is not None else extreme) * HOUR
        for bound, extreme in zip(created, (-1, 99), strict=True)
    )
    wanted = [
        (order["created_at"], order_id)
        for order_id, order in zip(ids, orders, strict=True)
        if order["updated_at"] >= START + since * HOUR
        and first <= order["created_at"] <= last
        and status in {None, order["status"]}
    ]
    query = {"limit": limit, "updatedSince": (START + since * HOUR).isoformat()}
    query |= {"since": first.isoformat()} if created[0] is not None else {}
    query |= {"until": last.isoformat()} if created[1] is not None else {}
    with Client(server.url, tenant.key, contract) as client:
        seen = [each["id"] for each in client.walk("/orders", **query, **({"status": status} if status else {}))]

    assert seen == [order_id for _, order_id in sorted(wanted, reverse=True)]
