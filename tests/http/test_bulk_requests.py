"""Extensions of the document for requests with many items: validation per item, weight, size, a required key."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.http.conftest import Probe, ProbeServer
from tests.support import factories, local_http
from tests.support.servers import SqliteStore, open_database, redis_server

GOOD = {"price": 1.5}
SHOWN = {"price": "Decimal 1.5"}


def send(probe: Probe, body: Any, **headers: str) -> httpx.Response:
    given = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4()), **headers}
    return probe.http.post("/batch", content=json.dumps(body), headers=given)


def items_of(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    return list(response.json()["body"]["items"])


class TestItems:
    def test_valid_items_arrive_as_they_are(self, probe: Probe) -> None:
        assert items_of(send(probe, {"items": [GOOD, GOOD]})) == [SHOWN, SHOWN]

    def test_an_invalid_item_is_not_an_error_of_the_request(self, probe: Probe) -> None:
        found = items_of(send(probe, {"items": [GOOD, {"price": -1, "colour": "red"}, GOOD]}))

        assert found == [
            SHOWN,
            {
                "error": "price must be at least 0",
                "code": "validation_failed",
                "details": [
                    {"pointer": "/price", "message": "price must be at least 0"},
                    {"pointer": "/colour", "message": "colour is not a known field"},
                ],
            },
            SHOWN,
        ]

    @pytest.mark.parametrize("item", [None, 1, "x", [], True])
    def test_an_item_that_is_no_object_is_invalid(self, probe: Probe, item: Any) -> None:
        (found,) = items_of(send(probe, {"items": [item]}))

        assert found["details"] == [{"pointer": "", "message": "The item must be an object"}]

    @pytest.mark.parametrize(
        ("item", "pointer", "name"),
        [
            ({"price": 1, "tags": ["a", "b\x00"]}, "/tags/1", "tags[1]"),
            ({"price": 1, "name": "\ud800"}, "/name", "name"),
            ({"price": 1, "\udfff": 1}, "", "A name"),
            ("\x00", "", "The item"),
        ],
    )
    def test_text_that_cannot_be_stored_is_an_error_of_its_item(
        self, probe: Probe, item: Any, pointer: str, name: str
    ) -> None:
        found = items_of(send(probe, {"items": [GOOD, item, {"price": -1}]}))

        message = f"{name} contains NUL or an unpaired surrogate"
        assert found[0] == SHOWN
        assert found[1] == {
            "error": message,
            "code": "validation_failed",
            "details": [{"pointer": pointer, "message": message}],
        }
        assert found[2]["error"] == "price must be at least 0"

    @pytest.mark.parametrize(
        "body", [{"items": [GOOD], "mode": "\x00"}, {"items": "\x00"}, {"items": [GOOD], "\x00": 1}]
    )
    def test_text_around_the_items_that_cannot_be_stored_is_an_error_of_the_request(
        self, probe: Probe, body: Any
    ) -> None:
        response = send(probe, body)

        assert response.status_code == 400
        assert response.json()["error"].endswith("contains NUL or an unpaired surrogate")

    def test_at_most_twenty_texts_of_an_item_are_listed(self, probe: Probe) -> None:
        (found,) = items_of(send(probe, {"items": [{"price": 1, "tags": ["\x00"] * 50}]}))

        assert len(found["details"]) == 20

    def test_a_list_of_invalid_text_that_is_too_long_is_one_error(self, probe: Probe) -> None:
        response = send(probe, {"items": ["\x00"] * 1001})

        assert response.json()["error"] == "items must have at most 1000 items"

    def test_a_duplicate_request_with_invalid_text_is_replayed(self, probe: Probe) -> None:
        key = str(uuid.uuid4())
        first, second = (send(probe, {"items": [GOOD, "\ud800"]}, **{"Idempotency-Key": key}) for _ in "12")

        assert (second.content, second.headers["idempotency-replayed"]) == (first.content, "true")

    def test_pointers_into_an_item_start_at_the_item(self, probe: Probe) -> None:
        (found,) = items_of(send(probe, {"items": [{"price": 1, "tags": ["a", "x" * 11]}]}))

        assert found["details"] == [{"pointer": "/tags/1", "message": "tags[1] must be at most 10 characters"}]

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, "items is required"),
            ({"items": []}, "items must have at least 1 item"),
            ({"items": [GOOD] * 1001}, "items must have at most 1000 items"),
            ({"items": GOOD}, "items must be a list"),
            ({"items": [GOOD], "mode": "some"}, "mode must be one of all, each"),
            ({"items": [GOOD], "modus": "all"}, "modus is not a known field"),
            ([GOOD], "The body must be an object"),
        ],
    )
    def test_everything_around_the_items_is_validated_as_usual(self, probe: Probe, body: Any, error: str) -> None:
        response = send(probe, body)

        assert (response.status_code, response.json()["error"]) == (400, error)

    def test_the_largest_list_is_accepted(self, probe: Probe) -> None:
        assert len(items_of(send(probe, {"items": [GOOD] * 1000}))) == 1000

    def test_at_most_twenty_errors_of_an_item_are_listed(self, probe: Probe) -> None:
        item = {**GOOD, **{f"unknown{number}": 1 for number in range(50)}}

        assert [len(found["details"]) for found in items_of(send(probe, {"items": [item, item]}))] == [20, 20]

    def test_a_duplicate_request_with_an_invalid_item_is_replayed(self, probe: Probe) -> None:
        key = str(uuid.uuid4())
        first, second = (send(probe, {"items": [{"price": price}]}, **{"Idempotency-Key": key}) for price in (-1, -1.0))
        other = send(probe, {"items": [{"price": -2}]}, **{"Idempotency-Key": key})

        assert (second.content, second.headers["idempotency-replayed"]) == (first.content, "true")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


class TestRequiredKey:
    def test_a_missing_key_is_400_with_its_own_code(self, probe: Probe) -> None:
        response = probe.http.post("/batch", json={"items": [GOOD]})

        message, code = "Idempotency-Key is required", "idempotency_key_required"
        assert response.status_code == 400
        assert response.json() == {
            "error": message,
            "code": code,
            "details": [{"pointer": "/header/Idempotency-Key", "code": code, "message": message}],
        }

    def test_errors_of_the_body_are_listed_after_it(self, probe: Probe) -> None:
        response = probe.http.post("/batch", json={})

        assert response.json()["code"] == "idempotency_key_required"
        assert [detail["pointer"] for detail in response.json()["details"]] == ["/header/Idempotency-Key", "/items"]

    @pytest.mark.parametrize("key", ["", "x" * 65])
    def test_a_malformed_key_is_an_ordinary_400(self, probe: Probe, key: str) -> None:
        response = send(probe, {"items": [GOOD]}, **{"Idempotency-Key": key})

        assert (response.json()["error"], response.json()["code"]) == (
            "Idempotency-Key is invalid",
            "validation_failed",
        )


class TestUnknownFields:
    def test_an_unknown_field_can_have_its_own_message(self, probe: Probe) -> None:
        body = {"customerId": "c1", "items": [{"productId": "p1", "quantity": 2}], "stock": 5, "colour": 1}
        response = probe.post(json.dumps(body))

        assert response.status_code == 400
        assert response.json()["details"] == [
            {"pointer": "/stock", "message": "stock is changed with inventory adjustments"},
            {"pointer": "/colour", "message": "colour is not a known field"},
        ]

    def test_in_an_item_too(self, probe: Probe) -> None:
        (found,) = items_of(send(probe, {"items": [{**GOOD, "stock": 5}]}))

        assert found["details"] == [{"pointer": "/stock", "message": "stock is changed with inventory adjustments"}]


class TestSize:
    def test_a_body_up_to_the_limit_of_the_operation_is_read(self, probe: Probe) -> None:
        padding = " " * (2_000_000 - len(json.dumps({"items": [GOOD]})))
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        content = json.dumps({"items": [GOOD]}) + padding

        assert probe.http.post("/batch", content=content, headers=headers).status_code == 200
        refused = probe.http.post("/batch", content=content + " ", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
        message = "The request body is larger than 2000000 bytes. Send fewer items in each request."
        assert refused.json()["error"] == message

    def test_the_errors_of_many_large_items_are_listed(self, probe: Probe) -> None:
        item = {"price": 1, "tags": ["x" * 11] * 3, **{f"unknown{number}": "x" * 60 for number in range(20)}}
        found = items_of(send(probe, {"items": [item] * 1000}))

        assert {len(entry["details"]) for entry in found} == {20}


@pytest.fixture(scope="module", params=["memory", "redis"])
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbeServer]:
    """Run the probe with its counters in memory, and in a real Redis."""
    directory = tmp_path_factory.mktemp("limited")
    url = SqliteStore(directory).create("limited")
    if request.param == "memory":
        with ProbeServer(url, directory / "log") as server:
            yield server
        return
    with redis_server(directory) as redis, ProbeServer(url, directory / "log", rate_limit_storage=redis) as server:
        yield server


class LimitedClient:
    """A client whose key has its own rate limit."""

    def __init__(self, server: ProbeServer, rate_limit: str) -> None:
        database = open_database(server.database_url)
        _, key = factories.api_key(database, factories.tenant(database).company_id, rate_limit=rate_limit)
        database.dispose()
        self._url = server.url + "/api/v1"
        self._headers = {"Authorization": f"Bearer {key}"}

    def send(self, items: int, item: Any = GOOD) -> httpx.Response:
        headers = self._headers | {"Idempotency-Key": str(uuid.uuid4())}
        return local_http.post(self._url + "/batch", json={"items": [item] * items}, headers=headers, timeout=60)

    def get(self) -> httpx.Response:
        return local_http.get(self._url + "/key", headers=self._headers, timeout=60)


def remaining(response: httpx.Response) -> int:
    return int(response.headers["ratelimit"].partition("r=")[2].partition(";")[0])


class TestWeight:
    @pytest.mark.parametrize(("items", "weight"), [(1, 2), (50, 2), (51, 3), (100, 3), (101, 4), (1000, 21)])
    def test_every_fifty_items_count_as_one_more_request(self, limited: ProbeServer, items: int, weight: int) -> None:
        response = LimitedClient(limited, "100/hour").send(items)

        assert response.status_code == 200
        assert remaining(response) == 100 - weight
        assert len([name for name in response.headers if name == "ratelimit"]) == 1

    def test_invalid_items_count_too(self, limited: ProbeServer) -> None:
        assert remaining(LimitedClient(limited, "100/hour").send(51, {"price": -1})) == 97

    def test_an_invalid_request_counts_as_one(self, limited: ProbeServer) -> None:
        response = LimitedClient(limited, "100/hour").send(0)

        assert (response.status_code, remaining(response)) == (400, 99)

    def test_a_request_whose_items_do_not_fit_is_429_and_counts_as_one(self, limited: ProbeServer) -> None:
        client = LimitedClient(limited, "30/hour")
        assert remaining(client.send(1000)) == 9

        refused = client.send(1000)

        assert refused.status_code == 429
        assert refused.headers["retry-after"] == str(refused.json()["retryAfter"])
        assert 3540 <= refused.json()["retryAfter"] <= 3600
        assert remaining(refused) == 8
        assert remaining(client.send(300)) == 1

    @pytest.mark.parametrize("limit", [1, 2, 10, 20])
    def test_a_key_with_a_low_limit_can_send_the_largest_request(self, limited: ProbeServer, limit: int) -> None:
        client = LimitedClient(limited, f"{limit}/hour")

        responses = [client.send(1000), client.send(1000)]

        assert [response.status_code for response in responses] == [200, 429]
        assert remaining(responses[0]) == 0

    def test_the_wait_is_as_long_as_the_same_request_needs(self, limited: ProbeServer) -> None:
        """The wait for the items of a large request is longer than the wait for a small one."""
        client = LimitedClient(limited, "6/8 seconds")
        assert client.get().status_code == 200
        time.sleep(3)
        assert client.send(150).status_code == 200  # 4 of 6

        large = client.send(100)  # counts as one, then does not fit
        small = client.send(1)

        assert (large.status_code, small.status_code) == (429, 429)
        time.sleep(large.json()["retryAfter"])
        assert client.send(100).status_code == 200

    def test_when_the_window_is_full_the_wait_is_enough_for_any_number_of_items(self, limited: ProbeServer) -> None:
        """The body has not been read then, so its items are unknown."""
        client = LimitedClient(limited, "3/4 seconds")
        assert [client.get().status_code for _ in range(3)] == [200, 200, 200]

        refused = client.send(1000)

        assert refused.status_code == 429
        time.sleep(refused.json()["retryAfter"])
        assert client.send(1000).status_code == 200
