"""What all lists have in common: the header Link and `updatedSince` (contract, section 3)."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.context import now
from app.db import Database
from app.schemas.times import parse_time
from models import OrderStatus
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.held_write import held_write
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
    def test_links_lead_through_the_whole_list(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        made = [make(database, tenant, path, START + hour * HOUR, START + hour * HOUR) for hour in range(5)]

        seen, page = [], client.get(path, params={"limit": "2"})
        while True:
            seen += [item["id"] for item in page.json()["data"]]
            if "Link" not in page.headers:
                break
            assert page.json()["pagination"]["hasMore"]
            url = target(page.headers["Link"])
            assert url == f"/api/v1{path}?limit=2&cursor={page.json()['pagination']['nextCursor']}"
            page = client.get(url.removeprefix("/api/v1"))

        assert seen == made[::-1]
        assert not page.json()["pagination"]["hasMore"]

    def test_keeps_the_other_parameters(self, client: Client, database: Database, tenant: Tenant, path: str) -> None:
        for hour in range(3):
            make(database, tenant, path, START + hour * HOUR, START + hour * HOUR, TEXT)
        query = {TEXT_FILTER[path]: TEXT, "updatedSince": "2026-04-01T02:00:00+02:00", "limit": "1"}
        first = client.get(path, params=query)
        second = client.get(target(first.headers["Link"]).removeprefix("/api/v1"))

        for page in (first, second):
            url = urlsplit(target(page.headers["Link"]))
            cursor = page.json()["pagination"]["nextCursor"]
            assert parse_qs(url.query) == {name: [value] for name, value in {**query, "cursor": cursor}.items()}

    def test_is_absent_on_the_last_page(self, client: Client, path: str) -> None:
        assert "Link" not in client.get(path).headers


def test_a_response_without_a_next_page_has_no_link(client: Client, database: Database, tenant: Tenant) -> None:
    product = factories.product(database, tenant.company_id)

    for path in (f"/products/{product}", "/reports/sales", "/events", "/webhooks"):
        assert "Link" not in client.get(path).headers


@pytest.mark.parametrize("path", LISTS)
class TestUpdatedSince:
    def test_returns_what_was_created_or_updated_since(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        old = make(database, tenant, path, START, START + HOUR - timedelta(milliseconds=1))
        changed = make(database, tenant, path, START, START + HOUR)
        new = make(database, tenant, path, START + HOUR, START + HOUR)

        page = client.get(path, params={"updatedSince": "2026-04-01T01:00:00Z"})

        assert [item["id"] for item in page.json()["data"]] == [new, changed]
        everything = client.get(path, params={"updatedSince": "2026-04-01"}).json()["data"]
        assert [item["id"] for item in everything] == [new, *sorted([old, changed], reverse=True)]

    @pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "", "2026-04-01T25:00"])
    def test_rejects_an_invalid_time(self, client: Client, path: str, text: str) -> None:
        response = client.get(path, params={"updatedSince": text})

        assert response.status_code == 400
        assert response.json()["error"] == "updatedSince must be a date or a time in ISO 8601"
        assert response.json()["details"][0]["pointer"] == "/query/updatedSince"


SPANS = st.tuples(st.integers(0, 5), st.integers(0, 5))  # in hours: the creation, and the time from it to the update
NO_RESET = [HealthCheck.function_scoped_fixture]


@settings(max_examples=40, deadline=None, suppress_health_check=NO_RESET)
@given(
    spans=st.lists(st.tuples(SPANS, st.sampled_from(OrderStatus)), max_size=12),
    limit=st.integers(1, 4),
    since=st.integers(0, 10),
    created=st.tuples(st.integers(0, 6) | st.none(), st.integers(0, 6) | st.none()),
    status=st.sampled_from(OrderStatus) | st.none(),
)
def test_a_walk_with_updated_since_returns_every_order_once_and_in_order(
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
            "status": order_status,
            "total": Decimal(1),
        }
        for (made, later), order_status in spans
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
        seen = [order["id"] for order in client.walk("/orders", **query, **({"status": status} if status else {}))]

    assert seen == [order_id for _, order_id in sorted(wanted, reverse=True)]


@pytest.mark.parametrize("path", LISTS)
class TestSyncedUntil:
    def test_is_on_every_page_of_a_list_of_changes(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        for hour in range(3):
            make(database, tenant, path, START, START + hour * HOUR)
        before = now()
        first = client.get(path, params={"updatedSince": START.isoformat(), "limit": "2"}).json()["pagination"]
        query = {"updatedSince": START.isoformat(), "cursor": first["nextCursor"]}
        last = client.get(path, params=query).json()["pagination"]

        assert (first["hasMore"], last["hasMore"]) == (True, False)
        assert before <= parse_time(first["syncedUntil"]) <= parse_time(last["syncedUntil"]) <= now()

    def test_is_in_an_empty_list_and_next_to_other_filters(self, client: Client, path: str) -> None:
        query = {"updatedSince": "2999-01-01", TEXT_FILTER[path]: "unknown"}
        found = client.get(path, params=query).json()

        assert found["data"] == []
        assert parse_time(found["pagination"]["syncedUntil"]) <= now()

    def test_is_absent_without_updated_since(self, client: Client, path: str) -> None:
        assert client.get(path).json()["pagination"] == {"hasMore": False, "nextCursor": None}

    def test_is_the_time_of_a_write_in_progress(self, client: Client, server: Server, path: str) -> None:
        before = now()
        with held_write(server.database_url) as write:
            time.sleep(0.01)
            found = client.get(path, params={"updatedSince": "2026-01-01"}).json()["pagination"]

            assert before <= parse_time(found["syncedUntil"]) <= write.at
