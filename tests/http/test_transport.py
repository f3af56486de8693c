"""The segments in which responses arrive, and responses that stop before they are complete."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.http.protocol import EdgeProtocol
from tests.http.conftest import Connection, Probe
from tests.support import waiting

RECEIVED_DATA_SEGMENTS = 152  # the place of this number in Linux's `struct tcp_info`
BODY = b'{"customerId": "c1", "items": [{"productId": "p1", "quantity": 2}]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
MEGABYTES = b"x" * 20_000_000

Application = Callable[[Send], Awaitable[None]]
Open = Callable[[Application], AbstractContextManager[socket.socket]]


def received_segments(connection: socket.socket) -> int:
    """Return how many segments with data have arrived."""
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("I", information, RECEIVED_DATA_SEGMENTS)[0])


class TestSegments:
    @pytest.mark.parametrize("option", ["keep-alive", "close"])
    @pytest.mark.parametrize(
        ("line", "status", "body"),
        [
            ("GET /api/v1/echo?need=x HTTP/1.1", 200, b""),
            ("GET /api/v1/echo HTTP/1.1", 400, b""),
            ("GET /api/v1/nope HTTP/1.1", 404, b""),
            ("POST /api/v1/echo HTTP/1.1", 200, BODY),
            ("POST /api/v1/echo HTTP/1.1", 400, b"{"),
            ("BLAH /api/v1/echo HTTP/1.1", 400, b""),
        ],
    )
    def test_a_response_is_one_segment(
        self, probe: Probe, connection: Connection, line: str, status: int, body: bytes, option: str
    ) -> None:
        """With uvicorn's own protocol, head and body are two segments."""
        lines = ("Host: x", f"Authorization: Bearer {probe.tenant.key}", "Content-Type: application/json")
        head = "\r\n".join([line, *lines, f"Content-Length: {len(body)}", f"Connection: {option}", "", ""])

        connection.socket.sendall(head.encode() + body)

        assert connection.response()[0] == status
        assert received_segments(connection.socket) == 1

    @pytest.mark.parametrize(
        ("line", "status"), [("OPTIONS /api/v1/echo HTTP/1.1", b"204"), ("HEAD /healthz HTTP/1.1", b"200")]
    )
    def test_a_response_without_a_body_arrives(self, connection: Connection, line: str, status: bytes) -> None:
        head = f"{line}\r\nHost: x\r\n"

        connection.send(f"{head}\r\n{head}Connection: close\r\n\r\n".encode())

        first, second, end = connection.rest().split(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 " + status)
        assert second.startswith(b"HTTP/1.1 " + status)
        assert end == b""


@pytest.fixture
def opened() -> Open:
    """A function that serves an application with uvicorn, and sends it a request."""

    @contextlib.contextmanager
    def open_connection(application: Application) -> Iterator[socket.socket]:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await application(send)

        options: dict[str, Any] = {"log_config": None, "server_header": False, "date_header": False}
        config = uvicorn.Config(app, http=EdgeProtocol, lifespan="off", access_log=False, **options)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening, waiting.threads(lambda: server.run([listening])):
            try:
                with socket.create_connection(listening.getsockname(), timeout=waiting.SECONDS) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    yield connection
            finally:
                server.should_exit = True

    return open_connection


def rest(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as reader:
        return reader.read()


class TestIncompleteResponses:
    def test_a_head_does_not_wait_for_its_body(self, opened: Open) -> None:
        has_read_head = threading.Event()

        async def application(send: Send) -> None:
            await send(START)
            await asyncio.to_thread(has_read_head.wait, waiting.SECONDS)
            await send({"type": "http.response.body", "body": b"abc"})

        with opened(application) as connection:
            try:
                assert connection.recv(1000) == HEAD
            finally:
                has_read_head.set()
            assert connection.recv(1000) == b"abc"

    @pytest.mark.parametrize("parts", [[], [b"a"], [b"a", b"b"]])
    @pytest.mark.parametrize("error", [None, RuntimeError])
    def test_what_was_sent_before_the_application_stopped_arrives(
        self, opened: Open, parts: list[bytes], error: type[Exception] | None
    ) -> None:
        async def application(send: Send) -> None:
            await send(START)
            for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            if error:
                raise error

        with opened(application) as connection:
            assert rest(connection) == HEAD + b"".join(parts)

    def test_an_error_before_the_head_is_a_500(self, opened: Open) -> None:
        async def application(_send: Send) -> None:
            raise RuntimeError

        with opened(application) as connection:
            assert rest(connection).startswith(b"HTTP/1.1 500 ")

    def test_a_large_response_waits_for_a_slow_client(self, opened: Open) -> None:
        lengths = []

        async def application(send: Send) -> None:
            length = str(2 * len(MEGABYTES)).encode()
            await send({**START, "headers": [(b"content-length", length), (b"connection", b"close")]})
            await send({"type": "http.response.body", "body": MEGABYTES, "more_body": True})
            await asyncio.sleep(0)
            lengths.append("first")
            await send({"type": "http.response.body", "body": MEGABYTES})
            lengths.append("second")

        with opened(application) as connection:
            waiting.eventually(lambda: lengths, "the first part is sent")
            assert lengths == ["first"]
            _, _, body = rest(connection).partition(b"\r\n\r\n")
            assert body == MEGABYTES * 2
