"""Forward a delivery to a program that sends exact bytes."""

import socket
from urllib.parse import urlsplit

import pytest

from app.cli import local_receiver
from app.cli.local_receiver import Forwarded
from tests.support import waiting

HEADERS = [("Host", "127.0.0.1:1"), ("Connection", "close"), ("webhook-id", "c1"), ("Content-Length", "2")]


def forwarded(response: bytes, path: str = "/") -> tuple[Forwarded, bytes, int]:
    """Forward a delivery to a program that sends bytes and disconnects; return the result, the request and the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])

        def respond() -> bytes:
            connection, _ = server.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n{}"):
                    request += connection.recv(65_536)
                connection.sendall(response)
            return request

        with waiting.threads(respond) as futures:
            result = local_receiver.forward(urlsplit(f"http://127.0.0.1:{port}{path}"), HEADERS, b"{}")
        return result, futures[0].result(), port


def test_the_request_has_the_headers_of_the_delivery_and_the_host_of_the_program() -> None:
    result, request, port = forwarded(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok", "/a?b=c")

    head = f"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nwebhook-id: c1\r\nContent-Length: 2\r\n\r\n"
    assert request == head.encode() + b"{}"
    assert (result.status, result.body, result.error) == (202, b"ok", None)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    ],
)
def test_a_complete_response_is_returned(response: bytes) -> None:
    result, _, _ = forwarded(response)

    assert (result.status, result.body, result.error) == (200, b"ok", None)


def test_only_two_headers_of_the_response_are_returned() -> None:
    folded = b"Retry-After: 1\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nX-Other: 1\r\nContent-Length: 0"

    result, _, _ = forwarded(b"HTTP/1.1 503 Busy\r\n" + folded + b"\r\n\r\n")

    assert list(result.headers) == [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "1")]


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "not HTTP", "short", "chunk", "interim", "long header"],
)
def test_a_response_that_is_not_valid_is_an_error(response: bytes) -> None:
    result, _, port = forwarded(response)

    assert result.status == 502
    assert result.error is not None
    assert result.error.startswith(f"127.0.0.1:{port} ")
