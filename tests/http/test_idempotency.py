"""Idempotency-Key: section 9.1 of the contract, on both databases."""

import http.client
import itertools
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app import db
from app.context import now
from app.db import Database
from app.http.body import parse
from app.http.idempotency import fingerprint
from app.services import stored_responses
from models import AuditEntry, Customer, Event, Order, StoredResponse
from tests.support import factories, local_http, waiting
from tests.support.client import Client
from tests.support.factories import Tenant, order_body
from tests.support.servers import Server

REPLAYED = "idempotency-replayed"


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


class TestReplay:
    def test_a_repeated_request_acts_once_and_returns_the_same_response(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        headers, body = key(), {"email": "once@example.com"}

        first, second = (client.post("/customers", json=body, headers=headers) for _ in range(2))

        assert first.status_code == second.status_code == 201
        assert first.content == second.content
        assert first.headers["location"] == second.headers["location"]
        assert REPLAYED not in first.headers
        assert second.headers[REPLAYED] == "true"
        assert [factories.count(database, model, tenant.company_id) for model in (Customer, Event)] == [1, 1]
        assert factories.audited_actions(database, tenant.company_id) == ["customer.created"]

    def test_another_spelling_is_the_same_request(self, client: Client) -> None:
        headers = key() | {"Content-Type": "application/json"}
        bodies = ('{"email": "a@b.de", "notes": null}', '{"notes":null,"email":"a@b.de"}')

        responses = [client.post("/customers", content=body, headers=headers) for body in bodies]

        assert [response.status_code for response in responses] == [201, 201]
        assert responses[1].headers[REPLAYED] == "true"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("100.50", "100.5"),
            ("100.5", "1.005e2"),
            ("100.5", "1005E-1"),
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0"),
            ("-0.0", "0.00"),
            ("9999999999.90", "9999999999.9"),
        ],
    )
    def test_numbers_are_compared_by_value(self, client: Client, first: str, second: str) -> None:
        headers = key() | {"Content-Type": "application/json"}
        bodies = (f'{{"email": "a@b.de", "creditLimit": {number}}}' for number in (first, second))

        responses = [client.post("/customers", content=body, headers=headers) for body in bodies]

        assert [response.status_code for response in responses] == [201, 201]
        assert responses[1].headers[REPLAYED] == "true"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ('"creditLimit": 100.5', '"creditLimit": 100.51'),
            ('"creditLimit": 9999999999.98', '"creditLimit": 9999999999.99'),
            ('"creditLimit": null', '"creditLimit": 0'),
            ('"notes": null', '"status": "ACTIVE"'),
            ('"notes": "1.50"', '"notes": "1.5"'),
            ('"notes": null', None),
        ],
    )
    def test_another_value_is_another_request(self, client: Client, first: str, second: str | None) -> None:
        headers = key() | {"Content-Type": "application/json"}
        bodies = ("{" + ", ".join(filter(None, ['"email": "a@b.de"', number])) + "}" for number in (first, second))

        responses = [client.post("/customers", content=body, headers=headers) for body in bodies]

        assert [response.status_code for response in responses] == [201, 422]
        assert responses[1].json()["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize("spelling", [" {}", "{} ", "\t {}\t", ' "{}" '])
    def test_spaces_around_a_key_are_ignored(
        self, client: Client, tenant: Tenant, server: Server, spelling: str
    ) -> None:
        name = str(uuid.uuid4())
        first = client.post("/customers", json={"email": "a@b.de"}, headers={"Idempotency-Key": name})
        headers = {"Authorization": f"Bearer {tenant.key}", "Content-Type": "application/json"}

        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        body = json.dumps({"email": "a@b.de"})
        connection.request("POST", "/api/v1/customers", body, {**headers, "Idempotency-Key": spelling.format(name)})
        response = connection.getresponse()
        content = response.read()
        connection.close()

        assert response.status == 201, content
        assert content == first.content
        assert response.getheader(REPLAYED) == "true"

    @pytest.mark.parametrize("spelling", ["{}", '"{}"'])
    def test_bare_and_quoted_keys_are_the_same(self, client: Client, spelling: str) -> None:
        name = str(uuid.uuid4())
        first = client.post("/customers", json={"email": "a@b.de"}, headers={"Idempotency-Key": name})
        second = client.post("/customers", json={"email": "a@b.de"}, headers={"Idempotency-Key": spelling.format(name)})

        assert second.content == first.content
        assert second.headers[REPLAYED] == "true"

    def test_a_quoted_key_may_contain_quotes_and_backslashes(self, client: Client) -> None:
        spellings = ['"a\\"b"', '"a\\\\b"']
        for number, given in enumerate(spellings):
            body = {"email": f"q{number}@b.de"}
            responses = [client.post("/customers", json=body, headers={"Idempotency-Key": given}) for _ in range(2)]
            assert [response.status_code for response in responses] == [201, 201]
            assert responses[1].headers[REPLAYED] == "true"

    def test_another_request_with_the_key_is_refused(self, client: Client, tenant: Tenant, database: Database) -> None:
        headers = key()
        client.post("/customers", json={"email": "one@example.com"}, headers=headers)

        response = client.post("/customers", json={"email": "two@example.com"}, headers=headers)

        assert response.status_code == 422
        message, code = "This Idempotency-Key was used for another request.", "idempotency_key_reused"
        assert response.json() == {
            "error": message,
            "code": code,
            "details": [{"pointer": "/header/Idempotency-Key", "code": code, "message": message}],
        }
        assert factories.count(database, Customer, tenant.company_id) == 1

    def test_another_entity_is_another_request(self, client: Client) -> None:
        headers = key()
        one, two = (client.post("/customers", json={"email": f"{letter}@b.de"}).json()["data"]["id"] for letter in "ab")

        assert client.patch(f"/customers/{one}", json={"notes": "x"}, headers=headers).status_code == 200
        assert client.patch(f"/customers/{two}", json={"notes": "x"}, headers=headers).status_code == 422

    def test_a_put_is_replayed_and_another_query_is_another_request(self, client: Client) -> None:
        headers, body = key(), {"name": "Flour", "price": 2}

        first, second = (client.put("/products", params={"sku": "A"}, json=body, headers=headers) for _ in range(2))
        other = client.put("/products", params={"sku": "B"}, json=body, headers=headers)

        assert (first.status_code, second.status_code, second.content) == (201, 201, first.content)
        assert second.headers[REPLAYED] == "true"
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def test_a_key_is_scoped_to_operation_and_company(
        self, client: Client, tenant: Tenant, database: Database, server: Server
    ) -> None:
        headers = key()
        customer = client.post("/customers", json={"email": "a@b.de"}, headers=headers).json()["data"]["id"]
        product = factories.product(database, tenant.company_id, stock=5)
        assert client.post("/orders", json=order_body(customer, (product, 1)), headers=headers).status_code == 201

        other = factories.tenant(database)
        response = local_http.post(
            server.url + "/api/v1/customers",
            json={"email": "other@b.de"},
            headers=headers | {"Authorization": f"Bearer {other.key}"},
        )
        assert response.status_code == 201

    def test_all_api_keys_of_a_company_share_stored_responses(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        headers = key()
        first = client.post("/customers", json={"email": "a@b.de"}, headers=headers)
        _, second_key = factories.api_key(database, tenant.company_id)

        again = client.post(
            "/customers", json={"email": "a@b.de"}, headers=headers | {"Authorization": f"Bearer {second_key}"}
        )

        assert again.content == first.content

    def test_a_refusal_is_replayed(self, client: Client, tenant: Tenant, database: Database) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=1)
        headers, body = key(), order_body(customer, (product, 2))

        first, second = (client.post("/orders", json=body, headers=headers) for _ in range(2))
        corrected = client.post("/orders", json=order_body(customer, (product, 1)), headers=key())

        assert (first.status_code, second.status_code) == (422, 422)
        assert first.content == second.content
        assert second.headers[REPLAYED] == "true"
        assert corrected.status_code == 201
        assert factories.count(database, Order, tenant.company_id) == 1

    def test_a_refused_order_leaves_only_its_response(self, client: Client, tenant: Tenant, database: Database) -> None:
        customer = factories.customer(database, tenant.company_id)
        plenty = factories.product(database, tenant.company_id, stock=6)
        few = factories.product(database, tenant.company_id, stock=1)

        assert (
            client.post("/orders", json=order_body(customer, (plenty, 3), (few, 2)), headers=key()).status_code == 422
        )

        assert [factories.count(database, model, tenant.company_id) for model in (Order, Event, StoredResponse)] == [
            0,
            0,
            1,
        ]
        assert factories.audited_actions(database, tenant.company_id) == []
        assert client.get(f"/products/{plenty}").json()["data"]["stock"] == 6

    def test_400_and_401_are_not_stored(self, client: Client, tenant: Tenant, database: Database) -> None:
        headers = key()

        assert client.post("/customers", json={"email": "nope"}, headers=headers).status_code == 400
        assert client.post("/customers", json={}, headers=headers | {"Authorization": "Bearer x"}).status_code == 401
        assert factories.count(database, StoredResponse, tenant.company_id) == 0
        assert client.post("/customers", json={"email": "a@b.de"}, headers=headers).status_code == 201

    def test_a_response_is_kept_for_a_day(self, client: Client, tenant: Tenant, database: Database) -> None:
        headers, body = key(), {"email": "a@b.de"}
        client.post("/customers", json=body, headers=headers)
        self._age(database, tenant.company_id, hours=23)
        assert client.post("/customers", json=body, headers=headers).headers[REPLAYED] == "true"

        self._age(database, tenant.company_id, hours=1, minutes=1)
        late = client.post("/customers", json=body, headers=headers)

        assert late.status_code == 422
        assert late.json()["error"] == "A customer with this email already exists."

    @staticmethod
    def _age(database: Database, company_id: str, **time: int) -> None:
        with database.transaction(write=True) as session:
            for response in session.query(StoredResponse).filter(StoredResponse.company_id == company_id):
                response.expires_at -= timedelta(**time)

    @pytest.mark.parametrize(
        "given",
        ["", '""', "x" * 256, '"' + "x" * 256 + '"', "two words", '"a"b"', '"a\\n"', '"a\\"', "tab\there", "caf\xe9"],
    )
    def test_a_malformed_key_is_400(self, client: Client, given: str) -> None:
        response = client.post(
            "/customers", json={"email": "a@b.de"}, headers={b"Idempotency-Key": given.encode("latin-1")}
        )

        assert response.status_code == 400
        assert response.json()["error"] == "Idempotency-Key must be 1 to 255 printable characters"
        assert len(response.json()["details"]) == 1

    @pytest.mark.parametrize("given", ["x", "x" * 255, '"' + "x" * 255 + '"', '"two words"', "a/b;c=d"])
    def test_a_well_formed_key_is_accepted(self, client: Client, given: str) -> None:
        responses = [
            client.post("/customers", json={"email": "a@b.de"}, headers={"Idempotency-Key": given}) for _ in range(2)
        ]

        assert [response.status_code for response in responses] == [201, 201]
        assert responses[0].content == responses[1].content


class TestSecrets:
    @pytest.mark.parametrize("given", ["{}", '"{}"', "retry-{}", "order:{}:1", "whsec_0123456789abcdef"])
    def test_a_key_with_a_secret_is_400_and_not_stored(
        self, client: Client, tenant: Tenant, database: Database, given: str
    ) -> None:
        headers = {"Idempotency-Key": given.format(tenant.key)}

        response = client.post("/customers", json={"email": "a@example.com"}, headers=headers)

        message = "Idempotency-Key must not contain an API key or a signing secret. Use a UUID."
        assert (response.status_code, response.json()["code"]) == (400, "validation_failed")
        assert response.json()["details"] == [{"pointer": "/header/Idempotency-Key", "message": message}]
        with database.transaction() as session:
            assert session.query(StoredResponse).filter_by(company_id=tenant.company_id).all() == []

    @pytest.mark.parametrize("given", ["sdk_0123456789abcdef", "dk_1234567", "dk-0123456789abcdef"])
    def test_a_key_that_only_resembles_one_is_accepted(self, client: Client, given: str) -> None:
        response = client.post("/customers", json={"email": "a@example.com"}, headers={"Idempotency-Key": given})

        assert response.status_code == 201

    @pytest.mark.parametrize("given", ["{}", "retry-{}", "whsec_0123456789abcdef"])
    def test_a_request_id_with_a_secret_is_replaced(
        self, client: Client, tenant: Tenant, database: Database, given: str
    ) -> None:
        headers = {"X-Request-Id": given.format(tenant.key)}

        response = client.post("/customers", json={"email": "a@example.com"}, headers=headers)

        request_id = response.headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        with database.transaction() as session:
            (entry,) = session.query(AuditEntry).filter_by(company_id=tenant.company_id, action="customer.created")
        assert entry.request_id == request_id


class TestFingerprint:
    """Values that no operation has today: all JSON is compared by value."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ('{"a": [{"b": 1.50}]}', '{"a":[{"b":15e-1}]}'),
            ("1e30", "1" + "0" * 30),
            ("0." + "0" * 30 + "10", "1e-31"),
            ('"\\u00e9"', '"\u00e9"'),
        ],
    )
    def test_equal_values_have_the_same_fingerprint(self, one: str, other: str) -> None:
        assert fingerprint({"body": parse(one.encode())}) == fingerprint({"body": parse(other.encode())})

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("9007199254740992", "9007199254740993"),
            ("0." + "1" * 39 + "1", "0." + "1" * 39 + "2"),
            ("1" * 35 + ".1" + "0" * 30 + "1", "1" * 35 + ".1" + "0" * 30 + "2"),
            ('{"a": [{"b": 1.5}]}', '{"a": [{"b": 1.51}]}'),
            ("[1.5, 2.5]", "[2.5, 1.5]"),
            ("1", "true"),
            ("0", "false"),
            ("1", '"1"'),
            ("-1.5", "1.5"),
            ('{"a": null}', "{}"),
        ],
    )
    def test_different_values_have_different_fingerprints(self, one: str, other: str) -> None:
        assert fingerprint({"body": parse(one.encode())}) != fingerprint({"body": parse(other.encode())})

    def test_another_query_is_another_request(self) -> None:
        assert fingerprint({"body": {}, "sku": "a"}) != fingerprint({"body": {}, "sku": "b"})


class TestConcurrentRequests:
    def test_a_duplicate_of_a_running_request_is_409(self, client: Client, tenant: Tenant, database: Database) -> None:
        """Not on SQLite: it has one writer at a time, so a duplicate waits until the first request has finished."""
        headers = key()
        with database.transaction() as session:
            db.try_lock(session, f"{tenant.company_id} createCustomer {headers['Idempotency-Key']}")
            response = client.post("/customers", json={"email": "a@b.de"}, headers=headers)

        expected = (201, None) if database.is_sqlite else (409, "idempotency_key_in_use")
        assert (response.status_code, response.json().get("code")) == expected

    def test_fifty_concurrent_duplicates_place_one_order(
        self, server: Server, tenant: Tenant, database: Database, client: Client
    ) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=100)
        headers = key() | {"Authorization": f"Bearer {tenant.key}"}
        body = order_body(customer, (product, 3))

        def place() -> httpx.Response:
            url = server.url + "/api/v1/orders"
            return local_http.post(url, json=body, headers=headers, timeout=waiting.SECONDS)

        responses = waiting.concurrently(*[place] * 50)

        assert {response.status_code for response in responses} <= {201, 409}
        assert len({response.content for response in responses if response.status_code == 201}) == 1
        assert {response.json()["code"] for response in responses if response.status_code == 409} <= {
            "idempotency_key_in_use"
        }
        assert factories.count(database, Order, tenant.company_id) == 1
        assert client.get(f"/products/{product}").json()["data"]["stock"] == 97
        again = client.post("/orders", json=body, headers=headers)
        assert again.headers[REPLAYED] == "true"


def test_expired_responses_are_deleted_in_the_background(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    numbers = itertools.count()

    def response(expires_at: Any) -> StoredResponse:
        number = next(numbers)
        return StoredResponse(
            id=f"c{number:024}",
            company_id=tenant.company_id,
            operation="createOrder",
            key=str(number),
            fingerprint=b"x" * 32,
            status=201,
            headers={},
            body=b"{}",
            expires_at=expires_at,
        )

    with fresh_database.transaction(write=True) as session:
        session.add_all([response(now() - timedelta(seconds=1)), response(now() + timedelta(hours=1))])
    with fresh_database.transaction(write=True) as session:
        stored_responses.delete_expired(session, now())

    assert factories.count(fresh_database, StoredResponse, tenant.company_id) == 1
