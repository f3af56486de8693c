"""The edge against malformed requests: every trap of Connexion 3.3.0 has a test here.

The tests use a separate small document, so that they do not depend on the operations of the API.
"""

import contextlib
import json
import re
import select
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from models import Scope
from tests.http.conftest import Probe, ProbeServer
from tests.support import factories, local_http, waiting
from tests.support.servers import open_database

GOOD: dict[str, Any] = {"customerId": "c1", "items": [{"productId": "p1", "quantity": 2}]}


def good(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


def error_of(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    message: str = response.json()["error"]
    return message


class TestMediaType:
    @pytest.mark.parametrize(
        "content_type",
        [
            "APPLICATION/JSON",
            "Application/Json; Charset=UTF-8",
            "application/json;charset=utf8",
            'application/json; charset="utf-8"',
            "application/json;",
            "application/json; ;;version=1",
            "application/json; charset=utf-8;",
            "application/json;version=1",
            'application/json; profile="a;b, \\"charset=x\\""; odata.metadata=none; charset=UTF-8',
            "application/json\t;\tcharset=utf-8",
        ],
    )
    def test_no_spelling_of_the_media_type_skips_validation(self, probe: Probe, content_type: str) -> None:
        assert probe.post(good(), content_type).json()["body"] == GOOD
        assert error_of(probe.post("{}", content_type)) == "customerId is required"

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json-patch+json",
            "application/problem+json",
            "application/json, application/json",
            "application/json; charset=bogus",
            "application/json;charset=utf-16",
            "application/json ; x",
            "application/json; charset=latin-1",
            "application/json; version=1; charset=latin-1",
            "application/json; charset=utf-8; charset=utf-16",
            'application/json; charset="',
            'application/json; x="y" z',
            "application/json; =x",
            "application/json" + "; " * 5000 + "x",
        ],
    )
    def test_anything_but_json_in_utf8_is_415(self, probe: Probe, content_type: str | None) -> None:
        response = probe.post(good(), content_type)

        assert response.status_code == 415
        assert response.json()["code"] == "unsupported_media_type"
        assert response.headers["accept"] == "application/json"

    def test_a_missing_media_type_is_415_however_it_is_sent(self, probe: Probe) -> None:
        response = probe.raw("POST /api/v1/echo HTTP/1.1", f"Content-Length: {len(good())}", body=good().encode())

        assert response.startswith(b"HTTP/1.1 415")

    def test_compressed_bodies_are_refused(self, probe: Probe) -> None:
        assert probe.post(good(), **{"Content-Encoding": "gzip"}).status_code == 415


class TestJson:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"nope",
            b"{'a': 1}",
            b'{"a": 1,}',
            b'{"a": NaN}',
            b'{"a": Infinity}',
            b'{"a": -Infinity}',
            b'{"a": 1e400}',
            b'{"a": 1e-400}',
            b'{"a": 1e99999999999999999999}',
            b'{"a": -1e-99999999999999999999}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b'{"a": 1, "a": 2}',
            b'{"a": {"b": 1, "b": 1}}',
            b"[" * 100_000,
            b'{"a":' * 1000 + b"1" + b"}" * 1000,
            b'{"a": "\xff\xfe"}',
            b'{"a": "\xed\xa0\x80"}',
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b'{"a": "\x00"}',
            b'{"a": "line\nbreak"}',
            b"{} {}",
        ],
    )
    def test_invalid_json_is_400(self, probe: Probe, body: bytes) -> None:
        response = probe.post(body)

        assert response.status_code == 400
        assert response.json() == {"error": "Invalid JSON body.", "code": "invalid_json"}

    @pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff x"])
    def test_characters_that_are_not_text_are_400(self, probe: Probe, escape: str) -> None:
        body = '{"customerId": "a' + escape + '", "items": [{"productId": "p", "quantity": 1}]}'

        assert error_of(probe.post(body)) == "customerId contains NUL or an unpaired surrogate"

    def test_text_is_unchanged(self, probe: Probe) -> None:
        text = "zażółć 🍞 \u2028 \u202e\x07 é é"

        for body in (good(customerId=text), json.dumps({**GOOD, "customerId": text}, ensure_ascii=False)):
            assert probe.post(body.encode()).json()["body"]["customerId"] == text

    def test_numbers_keep_every_digit(self, probe: Probe) -> None:
        body = probe.post('{"customerId": "c", "items": [{"productId": "p", "quantity": 2.0}], "price": 0.10}').json()[
            "body"
        ]

        assert body["items"][0]["quantity"] == 2
        assert body["price"] == "Decimal 0.10"

    def test_brackets_in_strings_are_not_nesting(self, probe: Probe) -> None:
        response = probe.post(good(customerId='[{"' * 20))

        assert response.status_code == 200

    def test_a_large_value_is_not_repeated(self, probe: Probe) -> None:
        response = probe.post(good(notes="x" * 900_000))

        assert error_of(response) == "notes must be at most 10 characters"
        assert len(response.content) < 300

    def test_a_large_name_is_truncated(self, probe: Probe) -> None:
        response = probe.post(good(**{"x" * 900_000: 1}))

        assert error_of(response).endswith("… is not a known field")
        assert len(response.content) < 600

    def test_at_most_a_hundred_errors_are_listed(self, probe: Probe) -> None:
        for body in (
            good(**{f"x{number}": 1 for number in range(50_000)}),
            good(notes=["\x00"] * 50_000),
            '{"customerId": "c", "items": [' + ",".join(["{}"] * 300_000) + "]}",
            good(**{"\ud800" + "x" * 800_000: 1}),
        ):
            response = probe.post(body)
            assert response.status_code == 400
            assert 1 <= len(response.json()["details"]) <= 100
            assert len(response.content) < 20_000

    def test_a_body_over_the_limit_is_413(self, probe: Probe) -> None:
        response = probe.post(b"x" * 1_000_001)

        assert response.status_code == 413
        assert response.json()["code"] == "body_too_large"

    def test_the_limit_applies_without_a_length(self, probe: Probe) -> None:
        body = b"".join(b"10000\r\n" + b" " * 65536 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n"
        response = probe.raw(
            "POST /api/v1/echo HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked", body=body
        )

        assert response.startswith(b"HTTP/1.1 413")

    def test_a_chunked_body_is_accepted(self, probe: Probe) -> None:
        content = good().encode()
        body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, content[:5], len(content) - 5, content[5:])
        response = probe.raw(
            "POST /api/v1/echo HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked", body=body
        )

        assert response.startswith(b"HTTP/1.1 200")

    def test_a_body_that_never_ends_is_408(self, probe: Probe) -> None:
        sent: list[int] = []
        with local_http.client(timeout=waiting.SECONDS) as http:
            response = http.post(
                probe.server.url + "/api/v1/echo",
                content=(b"{" for _ in _slowly(sent)),
                headers={"Authorization": f"Bearer {probe.tenant.key}", "Content-Type": "application/json"},
            )

        assert (response.status_code, response.json()["code"]) == (408, "body_timeout")
        assert len(sent) < MANY_SECONDS


MANY_SECONDS = 300


def _slowly(sent: list[int]) -> Iterator[int]:
    for second in range(MANY_SECONDS):
        time.sleep(1)
        sent.append(second)
        yield second


class TestBodySchema:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"customerId": None}, "customerId must be a string"),
            ({"customerId": 5}, "customerId must be a string"),
            ({"customerId": "x" * 65}, "customerId must be at most 64 characters"),
            ({"items": []}, "At least one item is required"),
            ({"items": {}}, "items must be a list"),
            ({"items": [{"productId": "p", "quantity": 1}] * 4}, "items must have at most 3 items"),
            ({"items": [5]}, "items[0] must be an object"),
            ({"items": [{"quantity": 1}]}, "productId is required"),
            ({"items": [{"productId": "p"}]}, "quantity is required"),
            ({"items": [{"productId": "p", "quantity": "1"}]}, "quantity must be a number"),
            ({"items": [{"productId": "p", "quantity": True}]}, "quantity must be a number"),
            ({"items": [{"productId": "p", "quantity": None}]}, "quantity must be a number"),
            ({"items": [{"productId": "p", "quantity": 1.5}]}, "quantity must be a whole number"),
            ({"items": [{"productId": "p", "quantity": 0}]}, "quantity must be at least 1"),
            ({"items": [{"productId": "p", "quantity": 2**63}]}, "quantity must be at most 1000000"),
            ({"items": [{"productId": "p", "quantity": 1, "x": 1}]}, "x is not a known field"),
            ({"price": "1"}, "price must be a number"),
            ({"price": -0.01}, "price must be at least 0"),
            ({"price": 0.001}, "price must have at most 2 decimal places"),
            ({"isActive": 1}, "isActive must be true or false"),
            ({"status": "NOPE"}, "Invalid order status."),
            ({"status": 5}, "Invalid order status."),
            ({"kind": "c"}, "kind must be one of a, b"),
            ({"shippingAddress": "x"}, "shippingAddress must be an object"),
            ({"shippingAddress": {"city": "x"}}, "city must be at least 2 characters"),
            ({"companyId": "other"}, "companyId is not a known field"),
            ({"at": "yesterday"}, "at must be a date or a time in ISO 8601"),
        ],
    )
    def test_every_rule_has_its_message(self, probe: Probe, changes: dict[str, Any], message: str) -> None:
        assert error_of(probe.post(good(**changes))) == message

    def test_null_is_allowed_for_nullable_members(self, probe: Probe) -> None:
        assert probe.post(good(notes=None, kind=None, shippingAddress=None)).status_code == 200

    @pytest.mark.parametrize("body", ["[]", '"x"', "5", "null", "true"])
    def test_a_body_that_is_not_an_object_is_400(self, probe: Probe, body: str) -> None:
        assert error_of(probe.post(body)) == "The body must be an object"

    def test_all_errors_are_listed_in_the_order_of_the_document(self, probe: Probe) -> None:
        response = probe.post('{"zzz": 1, "price": -1, "items": [{"quantity": 0}, {"productId": 1, "quantity": 1.5}]}')

        assert response.json()["details"] == [
            {"pointer": "/customerId", "message": "customerId is required"},
            {"pointer": "/items/0/productId", "message": "productId is required"},
            {"pointer": "/items/0/quantity", "message": "quantity must be at least 1"},
            {"pointer": "/items/1/productId", "message": "productId must be a string"},
            {"pointer": "/items/1/quantity", "message": "quantity must be a whole number"},
            {"pointer": "/price", "message": "price must be at least 0"},
            {"pointer": "/zzz", "message": "zzz is not a known field"},
        ]
        assert response.json()["error"] == "customerId is required"

    @pytest.mark.parametrize(("value", "status"), [("5", 200), ("0", 400), ("x", 400), ("1_0", 400)])
    def test_a_header_is_converted_to_a_whole_number(self, probe: Probe, value: str, status: int) -> None:
        response = probe.post(good(), **{"X-Number": value})

        assert response.status_code == status
        if status == 200:
            assert response.json()["headers"] == {"x_number": 5}

    def test_a_missing_parameter_is_400(self, probe: Probe) -> None:
        assert error_of(probe.http.get("/echo")) == "need is required"


class TestQuery:
    def test_a_repeated_parameter_is_400(self, probe: Probe) -> None:
        assert error_of(probe.http.get("/echo?need=a&need=b")) == "need must be given only once"

    @pytest.mark.parametrize("query", ["need=%00", "need=%ff", "need=a%ED%A0%80", "%01=1"])
    def test_undecodable_queries_are_400(self, probe: Probe, query: str) -> None:
        assert probe.raw(f"GET /api/v1/echo?{query} HTTP/1.1").startswith(b"HTTP/1.1 400")

    def test_raw_bytes_in_a_query_are_400(self, probe: Probe) -> None:
        assert probe.raw("GET /api/v1/echo?need=\xe9 HTTP/1.1").startswith(b"HTTP/1.1 400")

    def test_a_query_that_is_too_long_is_400(self, probe: Probe) -> None:
        for query in ("need=" + "x" * 9000, "&".join(f"a{number}=1" for number in range(60))):
            assert probe.raw(f"GET /api/v1/echo?{query} HTTP/1.1").startswith(b"HTTP/1.1 400")


class TestPath:
    @pytest.mark.parametrize(
        "path",
        [
            "/nope",
            "/api",
            "/api/v1/",
            "/api/v1/nope",
            "//api/v1/echo",
            "/api//v1/echo",
            "/api/v1//echo",
            "/api/v1/echo/",
            "/api/v1/./echo",
            "/api/v1/x/../echo",
            "/api/v1/%2e%2e/v1/echo",
            "/api/v1%2fecho",
            "/api/v1/echo%0a",
            "/api/v1/echo%00",
            "/api/v1/echo;x=1",
            "/API/v1/echo",
            "/api/v1/" + "x" * 70_000,
            "http://localhost/api/v1/nope",
            "*",
        ],
    )
    def test_an_unknown_path_is_404_and_never_a_redirect(self, probe: Probe, path: str) -> None:
        response = probe.raw(f"GET {path} HTTP/1.1")

        head, _, body = response.partition(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), response[:200]
        assert b"location:" not in head.lower()
        if head.startswith(b"HTTP/1.1 404"):
            assert json.loads(body) == {"error": "Not found.", "code": "not_found"}


class TestMethods:
    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
    def test_405_names_every_method(self, probe: Probe, method: str) -> None:
        response = probe.http.request(method, "/echo")

        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert response.json()["code"] == "method_not_allowed"

    def test_options_lists_the_methods_without_a_key(self, probe: Probe) -> None:
        response = local_http.options(probe.server.url + "/api/v1/echo")

        assert response.status_code == 204
        assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert local_http.options(probe.server.url + "/api/v1/nope").status_code == 404

    def test_head_is_like_get_without_the_body(self, probe: Probe) -> None:
        get, head = probe.http.get("/echo?need=x"), probe.http.head("/echo?need=x")

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(get.content))
        assert get.headers.keys() == head.headers.keys()

    def test_head_needs_the_same_key(self, probe: Probe) -> None:
        assert local_http.head(probe.server.url + "/api/v1/echo?need=x").status_code == 401

    def test_a_method_override_is_ignored(self, probe: Probe) -> None:
        assert probe.http.get("/echo?need=x", headers={"X-HTTP-Method-Override": "DELETE"}).status_code == 200


class TestHeaders:
    @pytest.mark.parametrize("name", ["Content-Type", "Content-Length", "Host", "Idempotency-Key"])
    def test_a_repeated_header_is_400(self, probe: Probe, name: str) -> None:
        response = probe.raw("GET /api/v1/echo?need=x HTTP/1.1", f"{name}: 1", f"{name}: 1")

        assert response.startswith(b"HTTP/1.1 400")

    def test_two_authorizations_are_401(self, probe: Probe) -> None:
        response = probe.raw("GET /api/v1/echo?need=x HTTP/1.1", f"Authorization: Bearer {probe.tenant.key}")

        assert response.startswith(b"HTTP/1.1 401")

    def test_a_header_with_an_underscore_is_dropped(self, probe: Probe) -> None:
        response = probe.raw("GET /api/v1/echo?need=x HTTP/1.1", "X_Request_Id: smuggled", "X-Request-Id: honest")

        assert b"x-request-id: honest" in response
        response = probe.raw(
            "GET /api/v1/echo?need=x HTTP/1.1", f"Authorization_: Bearer {probe.tenant.key}", authorized=False
        )
        assert response.startswith(b"HTTP/1.1 401")

    def test_a_missing_host_is_400(self, probe: Probe) -> None:
        assert probe.raw("GET /api/v1/echo?need=x HTTP/1.1", host=False).startswith(b"HTTP/1.1 400")

    def test_headers_that_are_too_long_are_400(self, probe: Probe) -> None:
        assert probe.raw("GET /api/v1/echo?need=x HTTP/1.1", "X-Long: " + "x" * 100_000).startswith(b"HTTP/1.1 4")

    @pytest.mark.parametrize(
        "lines",
        [
            ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ("Content-Length: +5",),
            ("Content-Length: -5",),
            ("Content-Length: five",),
            ("Transfer-Encoding: xchunked",),
            ("X-Fold: a\r\n b",),
            ("X Space: a",),
        ],
    )
    def test_one_request_has_one_response(self, probe: Probe, lines: tuple[str, ...]) -> None:
        smuggled = b"0\r\n\r\nGET /api/v1/crash HTTP/1.1\r\nHost: localhost\r\n\r\n"
        response = probe.raw("POST /api/v1/echo HTTP/1.1", "Content-Type: application/json", *lines, body=smuggled)

        assert response.count(b"HTTP/1.1 ") == 1
        assert re.match(rb"HTTP/1.1 4\d\d", response)


class TestSlowAndEndless:
    def test_an_endless_head_is_refused_before_it_fills_the_memory(self, probe: Probe) -> None:
        for opening in (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /"):
            sent = 0
            with (
                socket.create_connection(("127.0.0.1", probe.server.port), timeout=waiting.SECONDS) as connection,
                contextlib.suppress(ConnectionError),
            ):
                connection.sendall(opening)
                while sent < 50_000_000:
                    connection.sendall(b"x" * 100_000)
                    sent += 100_000
            assert sent < 20_000_000

    def test_unfinished_heads_delay_no_request_and_are_closed(self, probe: Probe) -> None:
        address = ("127.0.0.1", probe.server.port)
        connections = [socket.create_connection(address, timeout=waiting.SECONDS) for _ in range(300)]
        try:
            for number, connection in enumerate(connections):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" if number % 2 else b"")
            assert local_http.get(probe.server.url + "/healthz").status_code == 200
            assert not select.select(connections[-1:], [], [], 0)[0]  # no response yet, so it is still open
            for connection in connections[:20]:
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1000) == b""
        finally:
            for connection in connections:
                connection.close()

    def test_an_unfinished_head_after_a_response_is_closed(self, probe: Probe) -> None:
        """The timer of the first head has ended with it, and that of an idle connection ends when a head begins."""
        with socket.create_connection(("127.0.0.1", probe.server.port), timeout=waiting.SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1000) == b""

    def test_every_head_on_a_connection_has_the_same_time(self, probe: Probe) -> None:
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", probe.server.port), timeout=waiting.SECONDS) as connection:
            for _ in range(3):
                connection.sendall(request)
                time.sleep(4)
                assert connection.recv(1000).startswith(b"HTTP/1.1 200")


class TestIdentity:
    @pytest.mark.parametrize("header", ["Authorization:", "Authorization: Bearer", "Authorization: Bearer  ", "X-A: b"])
    def test_an_empty_key_is_401(self, probe: Probe, header: str) -> None:
        response = probe.raw("GET /api/v1/echo?need=x HTTP/1.1", header, authorized=False)

        assert response.startswith(b"HTTP/1.1 401")
        assert b"www-authenticate: Bearer\r\n" in response
        assert b"ratelimit" not in response

    def test_a_missing_scope_is_403(self, probe: Probe) -> None:
        database = open_database(probe.server.database_url)
        _, key = factories.api_key(database, probe.tenant.company_id, scopes=[Scope.PRODUCTS_READ])
        database.dispose()
        headers = {"Authorization": f"Bearer {key}"}

        assert probe.http.get("/echo?need=x", headers=headers).status_code == 200
        assert probe.http.post("/echo", content=good(), headers=headers).status_code == 403

    @pytest.mark.parametrize("path", ["/echo", "/crash", "/echo?need=x&need=y"])
    def test_errors_have_the_same_headers_as_successes(self, probe: Probe, path: str) -> None:
        response, error = probe.http.get("/echo?need=x"), probe.http.get(path)

        assert error.status_code >= 400
        assert {"x-request-id", "ratelimit", "ratelimit-policy", "content-type"} <= error.headers.keys()
        assert error.headers.keys() == response.headers.keys()

    def test_connexions_own_pages_are_not_served(self, probe: Probe) -> None:
        for path in ("/ui/", "/ui", "/openapi.json", "/swagger.json"):
            assert probe.http.get(path).status_code == 404


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "req-1", "x" * 128, "!~"])
    def test_the_clients_id_is_returned(self, probe: Probe, given: str) -> None:
        assert probe.http.get("/echo?need=x", headers={"X-Request-Id": given}).headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["", "two words", "x" * 129, "caf\xe9"])
    def test_an_invalid_id_is_replaced(self, probe: Probe, given: str) -> None:
        response = probe.raw("GET /api/v1/echo?need=x HTTP/1.1", f"X-Request-Id: {given}")

        assert re.search(rb"x-request-id: [0-9a-f]{32}\r\n", response)

    @pytest.mark.parametrize("path", ["/echo", "/nope", "/crash", "/echo?need=%ff"])
    def test_every_response_has_one(self, probe: Probe, path: str) -> None:
        assert "x-request-id" in probe.http.get(path).headers
        assert "x-request-id" in local_http.get(probe.server.url + "/api/v1" + path).headers


class TestAccept:
    @pytest.mark.parametrize(
        "accept",
        [
            "*/*",
            "application/json",
            "application/*",
            "text/html, */*;q=0.1",
            "APPLICATION/JSON; q=0.5",
            "",
            "text/html,application/json",
        ],
    )
    def test_an_accept_header_that_allows_json_is_200(self, probe: Probe, accept: str) -> None:
        assert probe.http.get("/echo?need=x", headers={"Accept": accept}).status_code == 200

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "image/*"])
    def test_an_accept_header_that_excludes_json_is_406(self, probe: Probe, accept: str) -> None:
        response = probe.http.get("/echo?need=x", headers={"Accept": accept})

        assert response.status_code == 406
        assert response.headers["content-type"] == "application/json"


class TestBugs:
    def test_a_bug_is_a_plain_500(self, probe: Probe) -> None:
        response = probe.http.get("/crash")

        assert response.status_code == 500
        assert response.json() == {"error": "Internal server error.", "code": "internal_error"}

    def test_a_bug_is_logged_with_its_request_and_without_secrets(self, probe: Probe) -> None:
        probe.http.get("/crash", headers={"X-Request-Id": "find-me"})

        waiting.eventually(lambda: "find-me" in probe.server.log.read_text(), "the log has the request")
        log = probe.server.log.read_text()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert any(line.get("request_id") == "find-me" and line.get("status") == 500 for line in lines)
        assert any("RuntimeError" in line.get("trace", "") for line in lines)
        assert "dk_abcdef" not in log
        assert probe.tenant.key not in log

    def test_a_slow_handler_does_not_delay_others(self, probe: Probe) -> None:
        """Four requests wait for each other, so they complete only when all of them run at once."""
        with waiting.threads(*[partial(probe.http.get, "/meet")] * 3) as calls:
            assert local_http.get(probe.server.url + "/healthz").status_code == 200
            assert not any(call.done() for call in calls)
            assert probe.http.get("/meet").status_code == 200
        assert {call.result().status_code for call in calls} == {200}

    def test_a_running_request_completes_before_the_server_stops(self, probe: Probe, tmp_path: Path) -> None:
        server = ProbeServer(probe.server.database_url, tmp_path / "log")
        headers = {"Authorization": f"Bearer {probe.tenant.key}"}
        get = partial(local_http.get, server.url + "/api/v1/sleep", headers=headers, timeout=waiting.SECONDS)
        with server, waiting.threads(get) as (running,):
            waiting.eventually(lambda: "asleep" in server.log.read_text(), "the request runs")
            server.stop()
        assert running.result().status_code == 200
        assert "Application shutdown complete" in server.log.read_text()
