"""Requests that the parser refuses, and responses that are sent before their request is complete."""

import contextlib
import json
from typing import Any

import pytest

from models import Scope
from tests.http.conftest import Connection, Probe
from tests.support import factories, local_http
from tests.support.servers import open_database

BODY = json.dumps({"customerId": "c1", "items": [{"productId": "p1", "quantity": 2}]}).encode()
ECHO = {"body": json.loads(BODY), "headers": {}}
CHUNKED = "Transfer-Encoding: chunked"
MEGABYTE = 1_000_000


def head(line: str, probe: Probe, *lines: str, key: str | None = None) -> bytes:
    standard = ("Host: localhost", f"Authorization: Bearer {key or probe.tenant.key}")
    return "\r\n".join([line, *standard, *lines, "", ""]).encode()


def post(probe: Probe, *lines: str, key: str | None = None) -> bytes:
    return head("POST /api/v1/echo HTTP/1.1", probe, "Content-Type: application/json", *lines, key=key)


NOT_HTTP = [
    (b"BLAH /api/v1/echo HTTP/1.1\r\n\r\n", "-", ""),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "-", ""),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI", "*"),
    ("GET /api/v1/echo?need=ż HTTP/1.1\r\n\r\n".encode(), "GET", ""),
    ("GET /api/v1/żółć HTTP/1.1\r\n\r\n".encode(), "GET", ""),
    (b"GET /api/v1/echo HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", "GET", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "GET", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", "GET", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/1.1\nHost: x\n\n", "GET", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/9.1\r\n\r\n", "GET", "/api/v1/echo"),
    (b"GET http://[::1/echo HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "http://[::1/echo"),
    (b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT", "example.com:443"),
    (b"POST /api/v1/echo HTTP/1.1\r\nContent-Length: 5x\r\n\r\n", "POST", "/api/v1/echo"),
    (b"POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "POST", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/1.1\r\nX-A: " + b"x" * 300_000, "GET", "/api/v1/echo"),
    (b"GET /api/v1/echo HTTP/1.1\r\n" + b"X-A: x\r\n" * 300_000, "GET", "/api/v1/echo"),
]


class TestMalformedHttp:
    @pytest.mark.parametrize(("request_", "method", "path"), NOT_HTTP)
    def test_malformed_http_is_refused_counted_and_logged(
        self, probe: Probe, connection: Connection, request_: bytes, method: str, path: str
    ) -> None:
        before = counted(probe)

        connection.send(request_)
        status, headers, body = connection.full_response()

        assert status == 400
        assert body["code"] == "malformed_request"
        assert body["error"].startswith(
            ("The request is not valid HTTP", "The URL", "CONNECT", "The head", "The Host header")
        )
        assert headers["content-type"] == "application/json"
        assert headers["connection"] == "close"
        assert connection.rest() == b""
        assert counted(probe) == before + 1
        line = logged(probe, headers["x-request-id"])
        assert (line["status"], line["method"], line["path"]) == (400, method, path)

    def test_a_url_that_is_too_long_is_named(self, connection: Connection) -> None:
        connection.send(b"GET /" + b"x" * 65_600 + b" HTTP/1.1\r\nHost: x\r\n\r\n")

        assert connection.full_response()[2]["error"] == "The URL is longer than 65535 bytes."

    def test_the_clients_request_id_is_returned_when_it_was_read(self, connection: Connection) -> None:
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\nA: b\r\nA b: c\r\n\r\n")

        assert connection.full_response()[1]["x-request-id"] == "mine"

    def test_a_response_to_head_has_no_body(self, connection: Connection) -> None:
        connection.send("HEAD /ż HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        response = connection.rest()
        assert response.startswith(b"HTTP/1.1 400 ")
        assert response.endswith(b"\r\n\r\n")

    def test_earlier_requests_get_their_responses_first(self, probe: Probe, connection: Connection) -> None:
        get = head("GET /api/v1/echo?need=x HTTP/1.1", probe)
        connection.send(get + post(probe, f"Content-Length: {len(BODY)}") + BODY + b"BLAH\r\n\r\n" + get)

        assert connection.response() == (200, {"need": "x"})
        assert connection.response() == (200, ECHO)
        assert connection.response()[1]["code"] == "malformed_request"
        assert connection.rest() == b""

    @pytest.mark.parametrize("pause", [0, 0.1])
    @pytest.mark.parametrize(
        "chunk", [b"zz\r\n", b"3\r\nabcd\r\n", b"ffffffffffffffffff\r\n", b"-1\r\n", b"3\r\nabc\r\n\x00: x"]
    )
    def test_a_body_that_cannot_be_parsed_is_refused_by_the_operation(
        self, probe: Probe, connection: Connection, chunk: bytes, pause: float
    ) -> None:
        before = counted(probe, "createEcho")

        parts = [post(probe, CHUNKED, "X-Request-Id: bad-chunk"), chunk]
        connection.send(*(parts if pause else [b"".join(parts)]), pause=pause)
        status, headers, body = connection.full_response()

        assert (status, body["code"]) == (400, "malformed_request")
        assert body["error"].startswith("The request is not valid HTTP")
        assert (headers["x-request-id"], headers["connection"]) == ("bad-chunk", "close")
        assert connection.rest() == b""
        assert counted(probe, "createEcho") == before + 1

    def test_a_trailer_without_end_is_refused(self, probe: Probe, connection: Connection) -> None:
        connection.send(post(probe, CHUNKED), b"%x\r\n%b\r\n0\r\nX-A: " % (len(BODY), BODY))
        connection.send(b"x" * 100_000)  # more than a trailer may have, less than is discarded after a response

        assert connection.response()[1]["code"] == "malformed_request"
        assert connection.rest() == b""


class TestValidHttp:
    def test_trailers_are_not_headers(self, probe: Probe, connection: Connection) -> None:
        """They arrive after the headers were checked."""
        trailers = f"X-Number: 5\r\nX-Request-Id: late\r\nAuthorization: Bearer {probe.tenant.key}\r\n".encode()
        body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(BODY), BODY, trailers)

        connection.send(post(probe, CHUNKED, "X-Request-Id: early") + body)
        status, headers, content = connection.full_response()

        assert (status, content, headers["x-request-id"]) == (200, ECHO, "early")

    def test_a_head_that_begins_in_the_segment_of_a_large_body_is_not_too_long(
        self, probe: Probe, connection: Connection
    ) -> None:
        body, get = BODY + b" " * 900_000, head("GET /api/v1/echo?need=x HTTP/1.1", probe)

        connection.send(post(probe, f"Content-Length: {len(body)}") + body + get[:20], get[20:], pause=0.5)

        assert connection.response() == (200, ECHO)
        assert connection.response() == (200, {"need": "x"})

    def test_space_around_a_value_is_not_part_of_it(self, probe: Probe, connection: Connection) -> None:
        lines = ("X-Number: \t 7 \t ", "X-Request-Id: mine  ", f"Content-Length: {len(BODY)} ")
        connection.send(post(probe, *lines) + BODY)

        status, headers, content = connection.full_response()
        assert (status, content["headers"], headers["x-request-id"]) == (200, {"x_number": 7}, "mine")

    def test_a_client_that_waits_for_responses_is_not_too_slow(self, probe: Probe, connection: Connection) -> None:
        sleep, get = head("GET /api/v1/sleep HTTP/1.1", probe), head("GET /api/v1/echo?need=x HTTP/1.1", probe)
        connection.send(sleep * 11 + get[:20])

        assert [connection.response() for _ in range(11)] == [(200, {})] * 11
        connection.send(get[20:])
        assert connection.response() == (200, {"need": "x"})

    def test_empty_lines_do_not_keep_a_connection_open(self, probe: Probe, connection: Connection) -> None:
        connection.send(head("GET /api/v1/echo?need=x HTTP/1.1", probe), b"\r\n")

        assert connection.response() == (200, {"need": "x"})
        assert connection.rest() == b""


@pytest.fixture(scope="module")
def keys(probe: Probe) -> dict[str, str]:
    database = open_database(probe.server.database_url)
    _, poor = factories.api_key(database, probe.tenant.company_id, scopes=[Scope.PRODUCTS_READ])
    _, slow = factories.api_key(database, probe.tenant.company_id, rate_limit="1/hour")
    database.dispose()
    local_http.get(probe.server.url + "/api/v1/echo?need=x", headers={"Authorization": f"Bearer {slow}"})
    return {"poor": poor, "slow": slow, "wrong": "dk_wrong"}


class TestEarlyResponses:
    """The client sends the whole of a large body before it reads the response."""

    @pytest.mark.parametrize("connection_header", ["keep-alive", "close"])
    @pytest.mark.parametrize("framing", ["length", "chunked"])
    @pytest.mark.parametrize(
        ("status", "line", "key", "lines"),
        [
            (400, "POST /api/v1/echo HTTP/1.1", None, ("Idempotency-Key: a", "Idempotency-Key: b")),
            (400, "POST /api/v1/ż HTTP/1.1", None, ()),
            (400, "POST /api/v1/echo HTTP/1.1", None, ("A b: c",)),
            (401, "POST /api/v1/echo HTTP/1.1", "wrong", ()),
            (403, "POST /api/v1/echo HTTP/1.1", "poor", ()),
            (404, "POST /api/v1/nope HTTP/1.1", None, ()),
            (405, "PUT /api/v1/echo HTTP/1.1", None, ()),
            (406, "POST /api/v1/echo HTTP/1.1", None, ("Accept: text/html",)),
            (413, "POST /api/v1/echo HTTP/1.1", None, ("Content-Type: application/json",)),
            (415, "POST /api/v1/echo HTTP/1.1", None, ("Content-Type: text/plain",)),
            (429, "POST /api/v1/echo HTTP/1.1", "slow", ()),
        ],
    )
    def test_reach_a_client_that_is_still_sending(
        self,
        probe: Probe,
        connection: Connection,
        keys: dict[str, str],
        status: int,
        line: str,
        key: str | None,
        lines: tuple[str, ...],
        framing: str,
        connection_header: str,
    ) -> None:
        length = f"Content-Length: {20 * MEGABYTE}" if framing == "length" else CHUNKED
        part = b"x" * MEGABYTE if framing == "length" else b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE)
        end = [] if framing == "length" else [b"0\r\n\r\n"]
        given = keys[key] if key else None

        connection.send(
            head(line, probe, *lines, length, f"Connection: {connection_header}", key=given),
            *[part] * 20,
            *end,
            pause=0,
        )

        response = connection.response()
        assert (response[0], "code" in response[1]) == (status, True)

    def test_an_early_response_does_not_end_the_connection(self, probe: Probe, connection: Connection) -> None:
        unknown = post(probe, f"Content-Length: {len(BODY)}", key="dk_wrong")
        get = head("GET /api/v1/echo?need=x HTTP/1.1", probe)

        connection.send(unknown, BODY[:10])
        assert connection.response()[0] == 401
        connection.send(BODY[10:] + get)

        assert connection.response() == (200, {"need": "x"})

    @pytest.mark.parametrize("key", [None, "dk_wrong"])
    def test_an_endless_request_is_aborted(self, probe: Probe, connection: Connection, key: str | None) -> None:
        part, sent = b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE), 0
        connection.send(post(probe, CHUNKED, key=key))

        with contextlib.suppress(ConnectionError):
            while sent < 500:
                connection.send(part, pause=0)
                sent += 1

        assert 60 < sent < 100

    @pytest.mark.parametrize("key", [None, "dk_wrong"])
    def test_a_client_that_stops_sending_is_disconnected(
        self, probe: Probe, connection: Connection, key: str | None
    ) -> None:
        connection.send(post(probe, f"Content-Length: {2 * MEGABYTE}", key=key), b"x")

        assert connection.response()[0] == (401 if key else 413)
        with contextlib.suppress(ConnectionResetError):
            assert connection.rest() == b""


class TestExpect:
    @pytest.mark.parametrize("key", [None, "dk_wrong"])
    def test_a_response_without_100_continue_closes_the_connection(
        self, probe: Probe, connection: Connection, key: str | None
    ) -> None:
        length = 2 * MEGABYTE if key is None else len(BODY)
        connection.send(post(probe, "Expect: 100-continue", f"Content-Length: {length}", key=key))

        status, headers, _ = connection.full_response()
        assert (status, headers["connection"]) == (401 if key else 413, "close")
        assert connection.is_silent()

    def test_a_response_after_100_continue_does_not(self, probe: Probe, connection: Connection) -> None:
        connection.send(post(probe, "Expect: 100-continue", f"Content-Length: {len(BODY)}"))
        assert connection.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"

        connection.send(BODY)
        status, headers, _ = connection.full_response()

        assert status == 200
        assert "connection" not in headers


def counted(probe: Probe, operation: str = "none") -> int:
    """Return how many responses were a 400."""
    text = local_http.get(probe.server.url + "/metrics").text
    name = f'distribu_requests_total{{operation="{operation}",status="400"}} '
    return sum(int(float(line.removeprefix(name))) for line in text.splitlines() if line.startswith(name))


def logged(probe: Probe, request_id: str) -> dict[str, Any]:
    """Return the line of the access log."""
    lines = [json.loads(line) for line in probe.server.log.read_text().splitlines() if request_id in line]
    assert len(lines) == 1
    found: dict[str, Any] = lines[0]
    return found
