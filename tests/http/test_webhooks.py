"""Webhooks, deliveries and events over HTTP (contract, sections 8 and 9.5). No worker runs here."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.queries import rows
from app.queries.rows import Statement
from app.schemas.webhooks import WebhookCreate
from app.services import deliveries, events, subscriptions, webhook_secrets, webhooks
from app.services.webhook_secrets import WebhookSecretsRow
from models import AuditEntry, Event, EventType, Scope, StoredResponse, Webhook
from tests.support import factories, waiting
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant
from tests.support.servers import Server
from tests.support.statements import counted

URL = "https://example.com/hook"
SELECT_SECRETS = Statement(
    WebhookSecretsRow,
    sa.select(*rows.columns(WebhookSecretsRow, webhooks.TABLE)).where(webhooks.TABLE.c.id == sa.bindparam("id")),
)


def make(client: Client, *events: str, **changes: Any) -> dict[str, Any]:
    """Create a webhook over the API and return it with its secret."""
    body = {"url": URL, "events": list(events or ("order.created",)), **changes}
    response = client.post("/webhooks", json=body)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def add_customer(client: Client, email: str = "new@example.com") -> str:
    """Create a customer, which publishes `customer.created`."""
    response = client.post("/customers", json={"email": email})
    assert response.status_code == 201, response.text
    return str(response.json()["data"]["id"])


@pytest.fixture
def other_company(server: Server, database: Database, contract: Contract) -> Iterator[Client]:
    """Return a client of another company."""
    with Client(server.url, factories.tenant(database).key, contract) as client:
        yield client


class TestCreate:
    def test_returns_the_secret_and_the_location(self, client: Client) -> None:
        response = client.post("/webhooks", json={"url": URL, "events": ["order.created"]})

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/webhooks/{data['id']}"
        secret = data.pop("secret")
        assert secret.startswith("whsec_")
        assert len(secret) == 38
        assert not set("-_") & set(secret.removeprefix("whsec_"))
        assert client.get(f"/webhooks/{data['id']}").json()["data"] == data
        assert data["isActive"] is True
        assert data["secretRotationGraceExpiresAt"] is None

    def test_folds_duplicate_events(self, client: Client) -> None:
        made = make(client, "order.created", "invoice.paid", "order.created")

        assert made["events"] == ["order.created", "invoice.paid"]

    def test_an_eleventh_webhook_is_refused(self, client: Client) -> None:
        def attempt() -> tuple[int, str | None]:
            response = client.post("/webhooks", json={"url": URL, "events": ["order.created"]})
            return response.status_code, None if response.is_success else refusals(response)[0]["message"]

        results = Counter(waiting.concurrently(*[attempt] * 14))

        assert results == {
            (201, None): 10,
            (422, "Webhook limit reached. A company can have at most 10."): 4,
        }
        assert len(client.get("/webhooks").json()["data"]) == 10
        (refusal,) = refusals(client.post("/webhooks", json={"url": URL, "events": ["order.created"]}))
        assert (refusal["pointer"], refusal["code"]) == ("", "webhook_limit_reached")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"url": None}, "url must be a string"),
            ({"url": ""}, "url must be at least 1 character"),
            ({"url": "ftp://example.com/"}, "url must begin with https:// or http://"),
            ({"url": "https://" + "x" * 2041}, "url must be at most 2048 characters"),
            ({"events": []}, "At least one event is required"),
            ({"events": ["order.made"]}, "Invalid event."),
            ({"events": [1]}, "events[0] must be a string"),
            ({"description": 1}, "description must be a string"),
            ({"description": "x" * 256}, "description must be at most 255 characters"),
            ({"isActive": "yes"}, "isActive must be true or false"),
            ({"secret": "whsec_mine"}, "secret is not a known field"),
        ],
    )
    def test_an_invalid_body_is_rejected(self, client: Client, change: dict[str, Any], message: str) -> None:
        response = client.post("/webhooks", json={"url": URL, "events": ["order.created"], **change})

        assert (response.status_code, response.json()["error"]) == (400, message)

    @pytest.mark.parametrize(
        "event",
        ["webhook.test", "webhook.*", "orders.*", "order*", "order.", "order.*.*", "ORDER.*", " *", "**", "*.*", ""],
    )
    def test_an_unknown_event_or_wildcard_is_rejected(self, client: Client, event: str) -> None:
        webhook = make(client)

        for response in (
            client.post("/webhooks", json={"url": URL, "events": ["*", event]}),
            client.patch(f"/webhooks/{webhook['id']}", json={"events": ["*", event]}),
        ):
            assert (response.status_code, response.json()["error"]) == (400, "Invalid event.")
            assert response.json()["details"] == [{"pointer": "/events/1", "message": "Invalid event."}]

    def test_wildcards_are_returned_as_they_were_sent(self, client: Client) -> None:
        made = make(client, "order.*", "*", "order.created", "order.*")

        assert made["events"] == ["order.*", "*", "order.created"]
        assert client.get(f"/webhooks/{made['id']}").json()["data"]["events"] == made["events"]

    @pytest.mark.parametrize("wildcard", subscriptions.WILDCARDS)
    def test_every_wildcard_is_accepted(self, client: Client, wildcard: str) -> None:
        assert make(client, wildcard)["events"] == [wildcard]

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [("  Orders for the ERP\n", "Orders for the ERP"), ("x" * 255, "x" * 255), (" ", None), (None, None)],
    )
    def test_the_description_is_trimmed(self, client: Client, sent: str | None, stored: str | None) -> None:
        made = make(client, description=sent)

        assert made["description"] == stored
        assert client.get("/webhooks").json()["data"][0]["description"] == stored

    def test_a_webhook_without_a_description_has_none(self, client: Client) -> None:
        assert make(client)["description"] is None

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("https://example.com/{id}", "url must not contain '{'. Write it as %7B."),
            ("https://example.com/?a[]=b", "url must not contain '['. Write it as %5B."),
            ("https://example.com/a b", "url must not contain ' '. Write it as %20."),
            (
                "https://example.com/100%",
                "url must not contain '%' without two hexadecimal digits after it. Write it as %25.",
            ),
            ("https://exa|mple.com/", "url must not contain '|' before its path."),
        ],
    )
    def test_a_forbidden_character_in_the_url_is_named(self, client: Client, url: str, message: str) -> None:
        webhook = make(client)

        for response in (
            client.post("/webhooks", json={"url": url, "events": ["order.created"]}),
            client.patch(f"/webhooks/{webhook['id']}", json={"url": url}),
        ):
            (refusal,) = refusals(response)
            assert (refusal["code"], refusal["pointer"]) == ("destination_not_allowed", "/url")
            assert refusal["message"] == response.json()["error"] == message

    def test_a_url_that_was_stored_before_the_rule_is_kept(self, client: Client, database: Database) -> None:
        webhook = make(client)
        with database.transaction(write=True) as session:
            session.get_one(Webhook, webhook["id"]).url = "https://example.com/{id}"

        response = client.patch(
            f"/webhooks/{webhook['id']}", json={"url": "https://example.com/{id}", "isActive": False}
        )

        assert response.status_code == 200
        assert response.json()["data"]["isActive"] is False

    def test_the_log_names_the_setting_and_the_response_does_not(self, client: Client, server: Server) -> None:
        for url, cause in (
            ("http://example.com:6379/", "port 6379 is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS"),
            ("http://10.9.8.7/", "10.9.8.7, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"),
        ):
            response = client.post("/webhooks", json={"url": url, "events": ["order.created"]})
            assert "DISTRIBU" not in response.text
            lines = [line for line in server.log.read_text().splitlines() if response.headers["X-Request-Id"] in line]
            assert any(cause in line for line in lines)

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/",
            "http://localhost/",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://user:password@example.com/",
            "http://example.com:6379/",
            "http://[::ffff:127.0.0.1]/",
            "https://",
        ],
    )
    def test_a_forbidden_destination_is_refused(self, client: Client, url: str) -> None:
        response = client.post("/webhooks", json={"url": url, "events": ["order.created"]})

        assert response.status_code in {400, 422}, response.text
        assert "url" in response.json()["error"].lower() or "destination" in response.json()["error"].lower()
        assert client.get("/webhooks").json()["data"] == []

    def test_a_duplicate_request_gets_the_webhook_without_its_secret(self, client: Client) -> None:
        body = {"url": URL, "events": ["order.created"]}
        first, second = (client.post("/webhooks", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2))

        assert second.json()["data"] == {**first.json()["data"], "secret": None}
        assert second.headers["idempotency-replayed"] == "true"
        assert len(client.get("/webhooks").json()["data"]) == 1


class TestRead:
    def test_lists_newest_first_without_secrets(self, client: Client) -> None:
        ids = [make(client)["id"] for _ in range(3)]

        response = client.get("/webhooks").json()

        assert [webhook["id"] for webhook in response["data"]] == ids[::-1]
        assert response["pagination"] == {"hasMore": False, "nextCursor": None}
        assert "whsec_" not in str(response)

    def test_a_webhook_of_another_company_is_not_found(self, client: Client, other_company: Client) -> None:
        webhook = make(client, "customer.created")["id"]
        add_customer(client)
        delivery = client.get(f"/webhooks/{webhook}/deliveries").json()["data"][0]["id"]

        responses = [
            other_company.get(f"/webhooks/{webhook}"),
            other_company.patch(f"/webhooks/{webhook}", json={"isActive": False}),
            other_company.delete(f"/webhooks/{webhook}"),
            other_company.post(f"/webhooks/{webhook}/rotate-secret"),
            other_company.post(f"/webhooks/{webhook}/test"),
            other_company.post(f"/webhooks/{webhook}/recover", json={"since": "2026-01-01"}),
            other_company.get(f"/webhooks/{webhook}/deliveries"),
            other_company.get(f"/webhooks/{webhook}/deliveries/{delivery}"),
            other_company.post(f"/webhooks/{webhook}/deliveries/{delivery}/redeliver"),
        ]

        assert {(response.status_code, response.json()["error"]) for response in responses} == {
            (404, "Webhook not found.")
        }
        own = make(other_company)["id"]
        response = other_company.get(f"/webhooks/{own}/deliveries/{delivery}")
        assert (response.status_code, response.json()["error"]) == (404, "Delivery not found.")

    def test_read_and_write_access_are_separate_scopes(
        self, server: Server, database: Database, tenant: Tenant, client: Client, contract: Contract
    ) -> None:
        webhook = make(client)["id"]
        _, reading = factories.api_key(database, tenant.company_id, scopes=[Scope.WEBHOOKS_READ])
        _, writing = factories.api_key(database, tenant.company_id, scopes=[Scope.WEBHOOKS_WRITE])

        with Client(server.url, reading, contract) as reader, Client(server.url, writing, contract) as writer:
            assert reader.get("/events").status_code == reader.get(f"/webhooks/{webhook}/deliveries").status_code == 200
            assert reader.post(f"/webhooks/{webhook}/test").status_code == 403
            assert writer.post(f"/webhooks/{webhook}/test").status_code == 202
            assert writer.get("/events").status_code == 403


class TestUpdate:
    def test_changes_the_given_members(self, client: Client) -> None:
        webhook = make(client)

        changed = client.patch(f"/webhooks/{webhook['id']}", json={"events": ["refund.processed"], "isActive": False})

        data = changed.json()["data"]
        assert (data["events"], data["isActive"], data["url"]) == (["refund.processed"], False, URL)
        assert "secret" not in data

    def test_changes_and_clears_the_description(self, client: Client) -> None:
        path = f"/webhooks/{make(client, description='Orders')['id']}"

        def update(**body: Any) -> Any:
            return client.patch(path, json=body).json()["data"]["description"]

        assert update(isActive=False) == "Orders"
        assert update(description=" Orders of the shop ") == "Orders of the shop"
        assert update(description=None) is None

    def test_an_update_that_changes_nothing_is_not_recorded(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        webhook = make(client)

        response = client.patch(f"/webhooks/{webhook['id']}", json={"url": URL, "isActive": True})

        assert response.json()["data"]["updatedAt"] == webhook["updatedAt"]
        with database.transaction() as session:
            actions = [a for (a,) in session.query(AuditEntry.action).filter_by(entity_id=webhook["id"])]
        assert actions == ["webhook.created"]

    def test_a_forbidden_destination_is_refused_here_too(self, client: Client) -> None:
        webhook = make(client)["id"]

        response = client.patch(f"/webhooks/{webhook}", json={"url": "http://192.168.0.1/"})

        assert [(refusal["pointer"], refusal["code"]) for refusal in refusals(response)] == [
            ("/url", "destination_not_allowed")
        ]
        assert client.get(f"/webhooks/{webhook}").json()["data"]["url"] == URL

    def test_an_empty_body_is_rejected(self, client: Client) -> None:
        assert client.patch(f"/webhooks/{make(client)['id']}", json={}).status_code == 400


class TestDelete:
    def test_a_deleted_webhook_is_not_found(self, client: Client) -> None:
        webhook = make(client, "customer.created")["id"]
        add_customer(client)

        response = client.delete(f"/webhooks/{webhook}")

        assert (response.status_code, response.json()) == (200, {"data": {"id": webhook, "deleted": True}})
        assert client.get(f"/webhooks/{webhook}").status_code == 404
        assert client.delete(f"/webhooks/{webhook}").status_code == 404
        assert client.get("/events").json()["data"][0]["event"] == "customer.created"


class TestRotate:
    def test_generates_a_secret_and_keeps_the_current_one_valid_for_a_day(self, client: Client) -> None:
        webhook = make(client)

        data = client.post(f"/webhooks/{webhook['id']}/rotate-secret").json()["data"]

        assert data["secret"] != webhook["secret"]
        ends = datetime.fromisoformat(data["secretRotationGraceExpiresAt"])
        assert timedelta(hours=23) < ends - datetime.now(UTC) < timedelta(hours=25)
        shown = client.get(f"/webhooks/{webhook['id']}").json()["data"]
        assert shown["secretRotationGraceExpiresAt"] == data["secretRotationGraceExpiresAt"]

    def test_a_duplicate_request_gets_no_secret(self, client: Client, database: Database, tenant: Tenant) -> None:
        path, headers = f"/webhooks/{make(client)['id']}/rotate-secret", {"Idempotency-Key": "one"}

        first, second = (client.post(path, headers=headers) for _ in range(2))

        assert second.json()["data"] == {**first.json()["data"], "secret": None}
        assert second.headers["idempotency-replayed"] == "true"
        with database.transaction() as session:
            (stored,) = session.query(StoredResponse).filter_by(company_id=tenant.company_id)
        assert b"whsec_" not in stored.body

    def rotate(self, client: Client, webhook: str, grace: int) -> dict[str, Any]:
        response = client.post(f"/webhooks/{webhook}/rotate-secret", json={"graceSeconds": grace})
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def valid_secrets(self, database: Database, webhook: str) -> list[str]:
        with database.transaction() as session:
            return webhook_secrets.valid(SELECT_SECRETS.one(session, {"id": webhook}), now())

    def test_each_earlier_secret_is_valid_until_its_own_end(self, client: Client, database: Database) -> None:
        made = make(client)
        first = self.rotate(client, made["id"], 604_800)
        second = self.rotate(client, made["id"], 1)
        third = self.rotate(client, made["id"], 3600)

        assert set(self.valid_secrets(database, made["id"])) >= {third["secret"], second["secret"], made["secret"]}
        ends = {rotated["secretRotationGraceExpiresAt"] for rotated in (first, second, third)}
        assert ends == {client.get(f"/webhooks/{made['id']}").json()["data"]["secretRotationGraceExpiresAt"]}
        waiting.eventually(
            lambda: first["secret"] not in self.valid_secrets(database, made["id"]), "the shortest grace ends"
        )
        assert self.valid_secrets(database, made["id"]) == [third["secret"], second["secret"], made["secret"]]

    def test_a_short_grace_period_does_not_end_an_earlier_one(self, client: Client, database: Database) -> None:
        made = make(client)
        first = self.rotate(client, made["id"], 604_800)
        self.rotate(client, made["id"], 1)
        waiting.eventually(lambda: len(self.valid_secrets(database, made["id"])) < 3, "the shorter grace ends")

        assert self.valid_secrets(database, made["id"])[1:] == [made["secret"]]
        shown = client.get(f"/webhooks/{made['id']}").json()["data"]
        assert shown["secretRotationGraceExpiresAt"] == first["secretRotationGraceExpiresAt"]

    def test_a_fourth_rotation_is_refused_until_the_first_secret_ends(self, client: Client, database: Database) -> None:
        webhook = make(client)["id"]
        ends = [self.rotate(client, webhook, grace)["secretRotationGraceExpiresAt"] for grace in (3000, 2000, 4000)]
        before = self.valid_secrets(database, webhook)
        assert len(before) == 4

        response = client.post(f"/webhooks/{webhook}/rotate-secret")

        (refusal,) = refusals(response)
        assert (refusal["code"], refusal["pointer"]) == ("rotation_limit_reached", "")
        assert refusal["nextPossibleAt"] < min(ends)  # the one of 2000 s
        left = datetime.fromisoformat(refusal["nextPossibleAt"]) - now()
        assert timedelta(seconds=1800) < left <= timedelta(seconds=2000)
        assert self.valid_secrets(database, webhook) == before
        with database.transaction() as session:
            assert session.query(AuditEntry).filter_by(action="webhook.secret_rotated", entity_id=webhook).count() == 3

    def test_without_grace_all_secrets_end_and_the_limit_does_not_apply(
        self, client: Client, database: Database
    ) -> None:
        webhook = make(client)["id"]
        for _ in range(3):
            self.rotate(client, webhook, 604_800)

        data = self.rotate(client, webhook, 0)

        assert data["secretRotationGraceExpiresAt"] is None
        assert self.valid_secrets(database, webhook) == [data["secret"]]
        assert self.rotate(client, webhook, 60)["secret"] in self.valid_secrets(database, webhook)

    def test_concurrent_rotations_lose_no_secret(self, client: Client, database: Database) -> None:
        made = make(client)
        rotated = waiting.concurrently(*[lambda: self.rotate(client, made["id"], 600)["secret"]] * 3)

        assert set(self.valid_secrets(database, made["id"])) == {made["secret"], *rotated}

    def test_no_earlier_secret_is_valid_if_an_earlier_version_ended_them(
        self, client: Client, database: Database
    ) -> None:
        """An earlier version knows only the newest earlier secret."""
        webhook = make(client)["id"]
        for _ in range(3):
            last = self.rotate(client, webhook, 604_800)
        with database.transaction(write=True) as session:
            row = session.get_one(Webhook, webhook)
            row.previous_secret = row.secret_rotation_grace_expires_at = None

        assert self.valid_secrets(database, webhook) == [last["secret"]]
        assert client.get(f"/webhooks/{webhook}").json()["data"]["secretRotationGraceExpiresAt"] is None
        assert len(self.valid_secrets(database, webhook)) == 1

    def test_without_grace_there_is_no_end_to_show(self, client: Client) -> None:
        webhook = make(client)["id"]

        data = client.post(f"/webhooks/{webhook}/rotate-secret", json={"graceSeconds": 0}).json()["data"]

        assert data["secretRotationGraceExpiresAt"] is None

    def test_an_invalid_grace_period_is_rejected(self, client: Client) -> None:
        webhook = make(client)["id"]

        for grace in (-1, 604_801, 1.5, "1"):
            response = client.post(f"/webhooks/{webhook}/rotate-secret", json={"graceSeconds": grace})
            assert response.status_code == 400


class TestDeliveries:
    def test_an_event_is_queued_for_each_active_subscriber(self, client: Client) -> None:
        subscribed = make(client, "customer.created", "order.created")["id"]
        inactive = make(client, "customer.created", isActive=False)["id"]
        other = make(client, "order.created")["id"]

        add_customer(client)

        (delivery,) = client.get(f"/webhooks/{subscribed}/deliveries").json()["data"]
        assert delivery["event"] == "customer.created"
        assert (delivery["attempt"], delivery["outcome"], delivery["success"]) == (1, "PENDING", None)
        assert delivery["nextAttemptAt"] == delivery["createdAt"]
        assert client.get(f"/webhooks/{subscribed}/deliveries/{delivery['id']}").json()["data"] == delivery
        for webhook in (inactive, other):
            assert client.get(f"/webhooks/{webhook}/deliveries").json()["data"] == []

    def test_a_wildcard_receives_the_events_that_it_includes_once(self, client: Client) -> None:
        everything = make(client, "*", "customer.*", "customer.created")["id"]
        customers = make(client, "customer.*")["id"]
        others = make(client, "order.*", "product.*")["id"]

        customer = add_customer(client)
        client.patch(f"/customers/{customer}", json={"name": "Changed"})
        client.post("/products", json={"name": "Flour", "price": 1})

        def received(webhook: str) -> list[str]:
            return [delivery["event"] for delivery in client.walk(f"/webhooks/{webhook}/deliveries")]

        assert received(everything) == ["product.created", "customer.updated", "customer.created"]
        assert received(customers) == ["customer.updated", "customer.created"]
        assert received(others) == ["product.created"]

    def test_a_wildcard_does_not_include_test_events_of_another_webhook(self, client: Client) -> None:
        tested, other = make(client)["id"], make(client, "*")["id"]

        client.post(f"/webhooks/{tested}/test")

        assert client.get(f"/webhooks/{other}/deliveries").json()["data"] == []

    def test_shows_the_payload_as_it_was_when_the_event_occurred(self, client: Client) -> None:
        webhook = make(client, "customer.created")["id"]
        customer = add_customer(client)
        client.patch(f"/customers/{customer}", json={"name": "Changed"})

        (delivery,) = client.get(f"/webhooks/{webhook}/deliveries").json()["data"]

        (event,) = client.get("/events", params={"event": "customer.created"}).json()["data"]
        assert delivery["payload"] == event
        assert (event["id"], event["data"]["name"]) == (delivery["eventId"], None)
        again = client.post(f"/webhooks/{webhook}/deliveries/{delivery['id']}/redeliver").json()["data"]
        assert again["payload"] == event

    @pytest.mark.parametrize("number", [1, 30])
    def test_a_page_with_payloads_is_one_statement(self, database: Database, tenant: Tenant, number: int) -> None:
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            webhook = webhooks.create(ctx, WebhookCreate(url=URL, events=["*"])).id
            for _ in range(number):
                events.test(ctx, webhook)
            with counted(session) as statements:
                page = deliveries.page(ctx, webhook, limit=100)

        assert len(page.rows) == number
        assert len(statements) == 2  # the webhook, the deliveries

    def test_expires_together_with_its_event(self, client: Client, database: Database) -> None:
        webhook = make(client)["id"]
        delivery = client.post(f"/webhooks/{webhook}/test").json()["data"]

        with database.transaction(write=True) as session:
            session.execute(sa.delete(Event).where(Event.id == delivery["eventId"]))

        assert client.get(f"/webhooks/{webhook}/deliveries/{delivery['id']}").status_code == 404
        assert client.get(f"/events/{delivery['eventId']}").status_code == 404

    def test_deliveries_can_be_filtered_and_paged(self, client: Client) -> None:
        webhook = make(client, "customer.created", "customer.updated")["id"]
        customers = [add_customer(client, f"c{number}@example.com") for number in range(3)]
        client.patch(f"/customers/{customers[0]}", json={"name": "Changed"})

        path = f"/webhooks/{webhook}/deliveries"
        assert [delivery["event"] for delivery in client.walk(path, limit=1)] == ["customer.updated"] + [
            "customer.created"
        ] * 3
        assert len(list(client.walk(path, event="customer.updated"))) == 1
        assert len(list(client.walk(path, outcome="PENDING", limit=2))) == 4
        assert list(client.walk(path, outcome="FAILED")) == list(client.walk(path, outcome="SUCCEEDED")) == []
        assert client.get(path, params={"outcome": "LOST"}).status_code == 400

    def test_a_delivery_can_be_repeated(self, client: Client) -> None:
        webhook = make(client, "customer.created")["id"]
        add_customer(client)
        (first,) = client.get(f"/webhooks/{webhook}/deliveries").json()["data"]

        response = client.post(f"/webhooks/{webhook}/deliveries/{first['id']}/redeliver")

        again = response.json()["data"]
        assert response.status_code == 202
        assert again["id"] != first["id"]
        assert (again["eventId"], again["event"], again["attempt"]) == (first["eventId"], first["event"], 1)
        unknown = client.post(f"/webhooks/{webhook}/deliveries/c{'0' * 24}/redeliver")
        assert (unknown.status_code, unknown.json()["error"]) == (404, "Delivery not found.")

    def test_a_test_event_is_sent_to_one_webhook_only(self, client: Client) -> None:
        webhook, other = make(client)["id"], make(client)["id"]

        response = client.post(f"/webhooks/{webhook}/test")

        assert (response.status_code, response.json()["data"]["event"]) == (202, "webhook.test")
        assert len(client.get(f"/webhooks/{webhook}/deliveries").json()["data"]) == 1
        assert client.get(f"/webhooks/{other}/deliveries").json()["data"] == []
        assert client.get("/events").json()["data"] == []


class TestRecover:
    def test_missed_events_are_queued_once(self, client: Client) -> None:
        add_customer(client, "one@example.com")
        add_customer(client, "two@example.com")
        webhook = make(client, "customer.created")["id"]
        add_customer(client, "three@example.com")

        path, body = f"/webhooks/{webhook}/recover", {"since": "2026-01-01"}
        response = client.post(path, json=body)

        assert (response.status_code, response.json()) == (202, {"data": {"count": 2, "hasMore": False}})
        assert client.post(path, json=body).json()["data"]["count"] == 0
        assert len(client.get(f"/webhooks/{webhook}/deliveries").json()["data"]) == 3

    def test_only_subscribed_events_within_the_range_are_queued(self, client: Client) -> None:
        add_customer(client)
        webhook = make(client, "order.created")["id"]
        wanting = make(client, "customer.created")["id"]
        body = {"since": "2026-01-01", "until": "2026-01-02"}

        assert client.post(f"/webhooks/{webhook}/recover", json={"since": "2026-01-01"}).json()["data"]["count"] == 0
        assert client.post(f"/webhooks/{wanting}/recover", json=body).json()["data"]["count"] == 0

    @pytest.mark.parametrize(("event", "count"), [("*", 2), ("customer.*", 1), ("order.*", 0), ("product.created", 1)])
    def test_a_wildcard_recovers_the_events_that_it_includes(self, client: Client, event: str, count: int) -> None:
        add_customer(client)
        client.post("/products", json={"name": "Flour", "price": 1})
        client.post(f"/webhooks/{make(client)['id']}/test")
        webhook = make(client, event)["id"]

        recovered = client.post(f"/webhooks/{webhook}/recover", json={"since": "2026-01-01"}).json()["data"]

        assert recovered == {"count": count, "hasMore": False}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "since is required"),
            ({"since": "yesterday"}, "since must be a date or a time in ISO 8601"),
            ({"since": "2026-02-30"}, "since must be a date or a time in ISO 8601"),
            ({"since": "2026-02-02", "until": "2026-02-01"}, "since must not be after until"),
        ],
    )
    def test_an_invalid_range_is_rejected(self, client: Client, body: dict[str, str], message: str) -> None:
        response = client.post(f"/webhooks/{make(client)['id']}/recover", json=body)

        assert (response.status_code, response.json()["error"]) == (400, message)
        assert response.json()["details"][0]["pointer"] == "/since"


class TestEvents:
    def test_events_are_listed_newest_first(self, client: Client) -> None:
        customer = add_customer(client)
        client.patch(f"/customers/{customer}", json={"name": "Changed"})

        updated, created = client.get("/events").json()["data"]

        assert (created["event"], created["sequence"]) == ("customer.created", 1)
        assert (updated["event"], updated["sequence"]) == ("customer.updated", 2)
        assert updated["data"]["name"] == "Changed"
        assert created["data"]["name"] is None

    def test_events_can_be_filtered_and_paged(self, client: Client, other_company: Client) -> None:
        customer = add_customer(client)
        for number in range(4):
            client.patch(f"/customers/{customer}", json={"name": f"Name {number}"})

        assert len(list(client.walk("/events", limit=2))) == 5
        assert [event["event"] for event in client.walk("/events", event="customer.created")] == ["customer.created"]
        assert list(client.walk("/events", since="2126-01-01")) == []
        assert len(list(client.walk("/events", until="2126-01-01"))) == 5
        assert other_company.get("/events").json()["data"] == []
        assert client.get("/events", params={"event": "no.such"}).status_code == 400


class TestEvent:
    def test_is_returned_as_receivers_get_it(self, client: Client) -> None:
        add_customer(client)
        (event,) = client.get("/events").json()["data"]

        response = client.get(f"/events/{event['id']}")

        assert (response.status_code, response.json()) == (200, {"data": event})

    def test_a_test_event_can_be_read_by_its_id(self, client: Client) -> None:
        delivery = client.post(f"/webhooks/{make(client)['id']}/test").json()["data"]

        assert client.get(f"/events/{delivery['eventId']}").json()["data"] == delivery["payload"]

    def test_an_event_of_another_company_is_not_found(self, client: Client, other_company: Client) -> None:
        add_customer(client)
        (event,) = client.get("/events").json()["data"]

        for response in (other_company.get(f"/events/{event['id']}"), client.get("/events/none")):
            assert (response.status_code, response.json()["error"]) == (404, "Event not found.")

    def test_requires_the_scope(self, server: Server, database: Database, tenant: Tenant, contract: Contract) -> None:
        _, writing = factories.api_key(database, tenant.company_id, scopes=[Scope.WEBHOOKS_WRITE])

        with Client(server.url, writing, contract) as writer:
            assert writer.get("/events/none").status_code == 403


class TestAudit:
    def test_every_change_is_recorded_without_the_secret(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        webhook = make(client)["id"]
        client.patch(f"/webhooks/{webhook}", json={"events": [EventType.INVOICE_PAID]})
        client.post(f"/webhooks/{webhook}/rotate-secret")
        client.delete(f"/webhooks/{webhook}")

        with database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(entity_id=webhook).order_by(AuditEntry.id).all()
        assert [entry.action for entry in entries] == [
            "webhook.created",
            "webhook.updated",
            "webhook.secret_rotated",
            "webhook.deleted",
        ]
        assert {entry.actor_id for entry in entries} == {tenant.key_id}
        assert "whsec_" not in str([entry.details for entry in entries])
