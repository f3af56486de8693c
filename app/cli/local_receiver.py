"""The HTTP listener of `distribu webhook listen`: verifies deliveries, forwards them, and queues them for printing.

It listens on 127.0.0.1, at a URL with a random path. A request without a valid signature is rejected and not forwarded.
The worker gets the response of the program that a delivery was forwarded to, so retries work as they do in production.
"""

import http.client
import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from queue import SimpleQueue
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import Self
from urllib.parse import SplitResult, urlsplit

from app import context
from app.delivery import signing
from app.schemas.base import Json, timestamp

HOST = "127.0.0.1"
ADDRESS = ip_address(HOST)
NAME = "distribu-webhook-listen"  # in the Server header of every response
FORWARD_SECONDS = 9.0  # less than the worker waits for a response (contract, section 8.2)
PROBE_SECONDS = 2.0
IDLE_SECONDS = 60.0
MAX_BODY_BYTES = 64_000_000  # far more than an event with the most items has
MAX_RESPONSE_BYTES = 65_536  # as much as the worker reads
# Headers of one connection (RFC 9110, section 7.6.1), and the host, which is that of the other URL.
NOT_FORWARDED = {
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
RETURNED = ("Content-Type", "Retry-After")  # headers of the response that the worker or a person may need
UNREACHABLE = HTTPStatus.BAD_GATEWAY

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forwarded:
    """What the program that a delivery was forwarded to returned. Without a response, there is an `error`."""

    status: int = UNREACHABLE
    headers: Headers = ()
    body: bytes = b""
    duration_ms: int = 0
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A delivery that arrived. `forwarded` is None if it was not forwarded."""

    at: str
    event: Json
    forwarded: Forwarded | None

    @property
    def status(self) -> int | None:
        """The status of the response to a delivery that was forwarded, or None without a response."""
        return self.forwarded.status if self.forwarded and self.forwarded.error is None else None


Item = Received | str | BaseException | None  # a delivery, a warning, a bug, or the end

REJECTED = "A request without a valid signature was rejected. It is not from this server, or its body was changed."


class LocalReceiver(ThreadingTCPServer):
    """The listener. It accepts connections from its creation on, and handles them within a `with` block."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, forward_to: SplitResult | None) -> None:
        """Listen on a port. Raises OSError if it is in use."""
        super().__init__((HOST, port), _Handler)
        self.path = f"/{secrets.token_hex(16)}"
        self.url = f"http://{HOST}:{port}{self.path}"
        self.secret: str | None = None  # until it is set, every request is rejected
        self.probe_id: str | None = None  # the event that shows that deliveries arrive: not forwarded
        self.queue: SimpleQueue[Item] = SimpleQueue()
        self.forward_to = forward_to

    def __enter__(self) -> Self:
        """Handle connections in the background."""
        Thread(target=self.serve_forever, name="listener", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Report a bug to the command. A client that disconnects is not one."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.queue.put(error)

    def is_genuine(self, headers: Headers, body: bytes) -> bool:
        """Return True if a request has a signature with the secret of the webhook."""
        by_name = {name.lower(): value for name, value in headers}
        return self.secret is not None and signing.is_genuine(self.secret, by_name, body)

    def receive(self, headers: Headers, body: bytes) -> Forwarded:
        """Forward a delivery, queue it for printing, and return the response."""
        at, event = timestamp(context.now()), json.loads(body)
        is_forwarded = self.forward_to is not None and event["id"] != self.probe_id
        forwarded = forward(self.forward_to, headers, body) if self.forward_to and is_forwarded else None
        self.queue.put(Received(at=at, event=event, forwarded=forwarded))
        return forwarded or Forwarded(status=HTTPStatus.OK)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = NAME, ""
    timeout = IDLE_SECONDS
    server: LocalReceiver

    def do_GET(self) -> None:
        """Confirm to another run of the command that this one is alive."""
        self._respond(HTTPStatus.NO_CONTENT if self.path == self.server.path else HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Receive a delivery."""
        body = self._body()
        if body is None or self.path != self.server.path:
            self.close_connection = True
            self._respond(HTTPStatus.NOT_FOUND)
        elif not self.server.is_genuine(self.headers.items(), body):
            self.server.queue.put(REJECTED)
            self._respond(HTTPStatus.UNAUTHORIZED, body=b"The signature is not valid.")
        else:
            result = self.server.receive(self.headers.items(), body)
            self._respond(result.status, result.headers, (result.error or "").encode() or result.body)

    def _body(self) -> bytes | None:
        """Return the body, or None if its length is unknown or too large."""
        length = self.headers.get("Content-Length", "")
        is_number = re.fullmatch("[0-9]{1,9}", length) is not None
        return self.rfile.read(int(length)) if is_number and int(length) <= MAX_BODY_BYTES else None

    def _respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the command prints what arrives."""


def is_alive(url: str) -> bool:
    """Return True if a running `webhook listen` listens at a URL of this machine."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(HOST, parts.port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        return response.status == HTTPStatus.NO_CONTENT and response.headers.get("Server", "").strip() == NAME
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def forward(url: SplitResult, headers: Headers, body: bytes) -> Forwarded:
    """Send a delivery to another URL with the same headers and body. A failure is part of the result, not raised."""
    started = time.monotonic()

    def duration_ms() -> int:
        return round((time.monotonic() - started) * 1000)

    connection = _connection(url)
    try:
        _send(connection, url, headers, body)
        stream = connection.sock  # the connection forgets it if the response is the last one
        response = connection.getresponse()
        content = _content(response, stream, started + FORWARD_SECONDS)
    except (OSError, http.client.HTTPException) as error:
        return Forwarded(duration_ms=duration_ms(), error=_error_text(url, error))
    finally:
        connection.close()
    if response.status < HTTPStatus.OK:
        return Forwarded(duration_ms=duration_ms(), error=f"{url.netloc} did not send a final response.")
    returned = [(name, " ".join(response.headers[name].split())) for name in RETURNED if name in response.headers]
    return Forwarded(status=response.status, headers=returned, body=content, duration_ms=duration_ms())


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    classes: dict[str, Callable[..., http.client.HTTPConnection]] = {
        "http": http.client.HTTPConnection,
        "https": http.client.HTTPSConnection,
    }
    return classes[url.scheme](url.hostname, url.port, timeout=FORWARD_SECONDS)


def _send(connection: http.client.HTTPConnection, url: SplitResult, headers: Headers, body: bytes) -> None:
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.putrequest("POST", path, skip_accept_encoding=True)
    for name, value in headers:
        if name.lower() not in NOT_FORWARDED:
            connection.putheader(name, value)
    connection.endheaders(body)


def _content(response: http.client.HTTPResponse, stream: socket.socket, deadline: float) -> bytes:
    """Return the first MAX_RESPONSE_BYTES of the body. Raises TimeoutError, and IncompleteRead if it is cut off."""
    content = bytearray()
    while len(content) < MAX_RESPONSE_BYTES and (part := response.read1(MAX_RESPONSE_BYTES - len(content))):
        content += part
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        stream.settimeout(remaining)
    if response.length and len(content) < MAX_RESPONSE_BYTES:
        raise http.client.IncompleteRead(bytes(content), response.length)
    return bytes(content)


def _error_text(url: SplitResult, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"{url.netloc} did not respond within {FORWARD_SECONDS:g} seconds."
    if isinstance(error, (ConnectionError, socket.gaierror)):
        return f"{url.netloc} cannot be reached: {error.strerror or error}."
    return f"{url.netloc} did not send a valid response: {str(error) or type(error).__name__}."
