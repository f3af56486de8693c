"""The sender against real sockets: misbehaving receivers, forbidden destinations, kept connections."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme

from app.context import now
from app.delivery.connection import Connection, UnsolicitedResponseError
from app.delivery.sender import Result, Sender, trust
from app.egress import NOT_REACHABLE, EgressPolicy, Target, parse_ports
from app.networks import parse_networks
from tests.support import waiting

OPEN = EgressPolicy(networks=parse_networks("127.0.0.0/8"), ports=parse_ports("1-65535"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHORT = 0.7  # the deadline of tests in which the response is late
AUTHORITY = trustme.CA()
PAST, FUTURE = now() - timedelta(days=1), now() + timedelta(days=1)

Behaviour = Callable[[socket.socket], None]


class Peer:
    """A socket server. A thread for each connection reads requests and runs the behaviour after each of them."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._behaviour, self._tls = behaviour, tls
        self._listening = socket.create_server((host, 0))
        self.port = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(waiting.SECONDS)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while request := self._read(connection):
                    self.requests.append(request)
                    self._behaviour(connection)

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while not data.endswith(b"{}"):
            part = connection.recv(65536)
            if not part:
                return b""
            data += part
        return data


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    """Return a function that starts peers; they stop after the test."""
    peers: list[Peer] = []

    def start(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Peer:
        peers.append(Peer(behaviour, tls))
        return peers[-1]

    yield start
    for started in peers:
        started.close()


def says(*parts: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return behave


def then_closes(behaviour: Behaviour) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        behaviour(connection)
        connection.close()

    return behave


def post(
    *urls: str, policy: EgressPolicy = OPEN, pause: float = 0.0, deadline: float = waiting.SECONDS, **options: object
) -> list[Result]:
    """Post to URLs one after the other, with one sender."""

    async def run() -> list[Result]:
        results = []
        async with Sender(policy, deadline_seconds=deadline, **options) as sender:  # type: ignore[arg-type]
            for url in urls:
                results.append(await sender.post(url, {"webhook-id": "c1"}, b"{}"))
                await asyncio.sleep(pause)
        return results

    return asyncio.run(run())


def contexts(
    name: str, not_before: datetime | None = None, not_after: datetime | None = None
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the TLS contexts of a server with this name and of a client that trusts it."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    AUTHORITY.issue_cert(name, not_before=not_before, not_after=not_after).configure_cert(server)
    AUTHORITY.configure_trust(client)
    return server, client


def names(**lookups: Sequence[str]) -> Callable[..., object]:
    """Return a lookup that resolves a name to each of its address lists in turn, and then always to the last one."""
    left = {name: list(addresses) for name, addresses in lookups.items()}

    async def lookup(host: str) -> Sequence[str]:
        given = left[host.partition(".")[0]]
        return (given.pop(0) if len(given) > 1 else given[0]).split()

    return lookup


class TestResponses:
    def test_a_2xx_is_a_success(self, peer: Callable[..., Peer]) -> None:
        there = peer(says(OK))

        (result,) = post(there.url("/a?b=c"))

        assert result.is_success
        assert (result.status, result.body, result.error) == (200, "ok", None)
        head = there.requests[0].split(b"\r\n")
        assert head[0] == b"POST /a?b=c HTTP/1.1"
        assert f"Host: 127.0.0.1:{there.port}".encode() in head
        assert b"webhook-id: c1" in head

    @pytest.mark.parametrize("status", [199, 300, 301, 304, 400, 404, 410, 500, 599])
    def test_any_other_status_is_a_failure(self, peer: Callable[..., Peer], status: int) -> None:
        if status == 199:
            there = peer(says(b"HTTP/1.1 199 Hm\r\n\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"))
        else:
            length = b"" if status == 304 else b"Content-Length: 0\r\n"
            there = peer(says(f"HTTP/1.1 {status} Hm\r\n".encode() + length + b"\r\n"))

        (result,) = post(there.url())

        assert not result.is_success
        assert result.status == (500 if status == 199 else status)

    def test_a_redirect_is_not_followed(self, peer: Callable[..., Peer]) -> None:
        canary = peer(says(OK))
        there = peer(says(f"HTTP/1.1 307 Go\r\nLocation: {canary.url()}\r\nContent-Length: 0\r\n\r\n".encode()))

        (result,) = post(there.url())

        assert result.status == 307
        assert canary.connections == 0

    def test_retry_after_is_in_the_result(self, peer: Callable[..., Peer]) -> None:
        there = peer(says(b"HTTP/1.1 503 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))

        assert post(there.url())[0].retry_after == "120"

    def test_the_body_is_truncated_and_made_storable(self, peer: Callable[..., Peer]) -> None:
        body = b"\x00\xff" + "ü".encode() * 5000
        there = peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body))

        (result,) = post(there.url())

        assert len(result.body) == 2000
        assert result.body.startswith("\ufffd\ufffdüü")

    def test_proxies_of_the_environment_are_ignored(
        self, peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        canary, there = peer(says(OK)), peer(says(OK))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, canary.url())

        assert post(there.url())[0].is_success
        assert canary.connections == 0


class TestMisbehaviour:
    def drip(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.05)

    def endless(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    def endless_chunks(self, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def bomb(self, connection: socket.socket) -> None:
        bomb = gzip.compress(b"0" * 20_000_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb))
        connection.sendall(bomb)

    def interim(self, connection: socket.socket) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

    @pytest.mark.parametrize("behaviour", ["endless", "endless_chunks", "bomb"])
    def test_a_long_2xx_body_is_read_up_to_the_limit(self, peer: Callable[..., Peer], behaviour: str) -> None:
        (result,) = post(peer(getattr(self, behaviour)).url())

        assert result.is_success
        assert len(result.body) == 2000
        assert set(result.body) <= {"x", "0"}

    def test_a_slow_body_times_out(self, peer: Callable[..., Peer]) -> None:
        (result,) = post(peer(self.drip).url(), deadline=SHORT)

        assert not result.is_success
        assert (result.status, result.error) == (200, "No complete response within 0.7 seconds.")
        assert result.duration_ms >= 600

    def test_no_response_times_out(self, peer: Callable[..., Peer]) -> None:
        (result,) = post(peer(lambda _: time.sleep(1.5)).url(), deadline=SHORT)

        assert (result.status, result.error) == (None, "No complete response within 0.7 seconds.")

    @pytest.mark.parametrize(
        "response",
        [
            b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000 + b"\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n" * 2,
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"\x16\x03\x01\x00",
        ],
    )
    def test_a_response_that_is_not_http_is_a_failure(self, peer: Callable[..., Peer], response: bytes) -> None:
        (result,) = post(peer(says(response)).url(), deadline=SHORT)

        assert not result.is_success
        assert result.error in {"The response is not valid HTTP.", "No complete response within 0.7 seconds."}

    def test_interim_responses_are_limited(self, peer: Callable[..., Peer]) -> None:
        assert post(peer(self.interim).url())[0].error == "The response is not valid HTTP."

    @pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200"])
    def test_a_connection_closed_too_early_is_a_failure(self, peer: Callable[..., Peer], response: bytes) -> None:
        (result,) = post(peer(then_closes(says(response))).url())

        assert result.error == "The connection was closed before the response was complete."


class TestConnections:
    def test_a_connection_is_kept_for_the_next_delivery(self, peer: Callable[..., Peer]) -> None:
        there = peer(says(OK))

        assert all(result.is_success for result in post(*[there.url()] * 5))
        assert there.connections == 1

    def test_a_connection_is_closed_if_the_receiver_says_so(self, peer: Callable[..., Peer]) -> None:
        there = peer(then_closes(says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")))

        assert all(result.is_success for result in post(*[there.url()] * 3))
        assert there.connections == 3

    def test_a_stale_connection_does_not_fail_the_attempt(self, peer: Callable[..., Peer]) -> None:
        there = peer(then_closes(says(OK)))

        assert all(result.is_success for result in post(*[there.url()] * 3))
        assert all(result.is_success for result in post(*[there.url()] * 3, pause=0.05))

    def test_the_next_address_is_tried_if_one_does_not_accept(self, peer: Callable[..., Peer]) -> None:
        there = peer(says(OK))
        lookup = names(hooks=["127.0.0.2 127.0.0.1"])

        assert post(f"http://hooks.example:{there.port}/", lookup=lookup)[0].is_success


NO = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
LEFTOVERS = [
    OK + OK,
    OK + NO,
    OK + b"\r\n",
    OK + b"HTTP/1.1 100 Continue\r\n\r\n",
    OK + b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
]


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave in each way in turn, and in the last one from then on."""
    left = list(behaviours)

    def behave(connection: socket.socket) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(connection)

    return behave


class TestLeftovers:
    """Nothing that arrived before a request was sent is its response (RFC 9112, section 6.3)."""

    @pytest.mark.parametrize("response", LEFTOVERS)
    @pytest.mark.parametrize("pause", [0.0, 0.1])
    def test_a_leftover_is_not_the_next_response(
        self, peer: Callable[..., Peer], response: bytes, pause: float
    ) -> None:
        there = peer(in_turn(says(response), says(NO), says(OK)))

        first, second, third = post(*[there.url()] * 3, pause=pause)

        assert first.status == int(response.split()[1])
        assert (second.status, second.body, second.is_success) == (500, "", False)
        assert (third.status, third.body) == (200, "ok")
        assert there.connections >= 2

    @pytest.mark.parametrize("response", LEFTOVERS)
    def test_a_late_leftover_over_tls_is_not_the_next_response(
        self, peer: Callable[..., Peer], response: bytes
    ) -> None:
        late = threading.Event()

        def behave(connection: socket.socket) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # data is sent at once
            connection.sendall(OK)
            time.sleep(0.05)
            connection.sendall(response)
            late.set()

        server, client = contexts("hooks.example")
        there = peer(in_turn(behave, says(NO), says(OK)), server)
        url = f"https://hooks.example:{there.port}/"

        async def run() -> list[Result]:
            async with Sender(OPEN, lookup=names(hooks=["127.0.0.1"]), tls=client) as sender:  # type: ignore[arg-type]
                results = [await sender.post(url, {}, b"{}")]
                await asyncio.to_thread(late.wait, 60)
                return [*results, await sender.post(url, {}, b"{}"), await sender.post(url, {}, b"{}")]

        first, second, third = asyncio.run(run())

        assert (first.status, second.status, third.status) == (200, 500, 200)

    def test_connections_to_a_receiver_that_sent_leftovers_are_not_kept(self, peer: Callable[..., Peer]) -> None:
        there = peer(in_turn(says(OK + OK), says(OK)))

        assert all(result.is_success for result in post(*[there.url()] * 4))
        assert there.connections == 4

    @pytest.mark.parametrize("is_secure", [False, True])
    def test_a_response_before_the_request_fails_a_new_connection(self, *, is_secure: bool) -> None:
        sent = threading.Event()
        server, client = contexts("hooks.example")

        def greet(listening: socket.socket) -> None:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # data is sent at once
            with server.wrap_socket(connection, server_side=True) if is_secure else connection as connection:
                connection.sendall(OK)
                sent.set()
                connection.settimeout(60)
                with contextlib.suppress(OSError):
                    connection.recv(65_536)

        async def run(port: int) -> None:
            scheme = "https" if is_secure else "http"
            target = Target(scheme=scheme, host="hooks.example", port=port, path="/", address=None)
            connection = await Connection.open(target, ip_address("127.0.0.1"), client)
            await asyncio.to_thread(sent.wait, 60)
            try:
                with pytest.raises(UnsolicitedResponseError):
                    await connection.post(target, {}, b"{}")
            finally:
                connection.close()
                await asyncio.sleep(0)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=greet, args=(listening,), daemon=True)
            thread.start()
            asyncio.run(run(listening.getsockname()[1]))
            thread.join(waiting.SECONDS)

    @pytest.mark.parametrize(
        "response", [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"]
    )
    def test_a_protocol_switch_is_not_a_response(self, peer: Callable[..., Peer], response: bytes) -> None:
        first, second = post(*[peer(in_turn(says(response), says(NO))).url()] * 2)

        assert (first.status, first.error) == (None, "The response is not valid HTTP.")
        assert second.status == 500


class TestDestinations:
    PUBLIC_ONLY = EgressPolicy(ports=parse_ports("1-65535"))

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
    def test_an_address_of_this_machine_is_not_connected_to(self, peer: Callable[..., Peer], host: str) -> None:
        canary = peer(says(OK))

        (result,) = post(f"http://{host}:{canary.port}/", policy=self.PUBLIC_ONLY)

        assert (result.status, result.error) == (None, NOT_REACHABLE)
        assert canary.connections == 0

    @pytest.mark.parametrize("addresses", ["127.0.0.1", "8.8.8.8 127.0.0.1", "127.0.0.1 8.8.8.8", "::ffff:127.0.0.1"])
    def test_a_name_with_a_forbidden_address_is_not_connected_to(
        self, peer: Callable[..., Peer], addresses: str
    ) -> None:
        canary = peer(says(OK))

        (result,) = post(
            f"http://hooks.example:{canary.port}/", policy=self.PUBLIC_ONLY, lookup=names(hooks=[addresses])
        )

        assert (result.status, result.error) == (None, NOT_REACHABLE)
        assert canary.connections == 0

    def test_a_name_is_resolved_once_for_a_connection(self, peer: Callable[..., Peer]) -> None:
        """The address that was checked is the one that is connected to; a second lookup is never used."""
        there = peer(says(OK))
        policy = EgressPolicy(networks=parse_networks("127.0.0.1/32"), ports=OPEN.ports)
        lookup = names(hooks=["127.0.0.1", "127.0.0.2"], other=["127.0.0.2"])

        first, second, third = post(
            *[f"http://hooks.example:{there.port}/"] * 2,
            f"http://other.example:{there.port}/",
            policy=policy,
            lookup=lookup,
        )

        assert first.is_success
        assert second.is_success
        assert third.error == NOT_REACHABLE
        assert b"Host: hooks.example:" in there.requests[0]

    def test_forbidden_closed_and_unknown_destinations_have_the_same_error(self, peer: Callable[..., Peer]) -> None:
        canary = peer(says(OK))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            closed = probe.getsockname()[1]

        async def unknown(_host: str) -> Sequence[str]:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        results = [
            *post(*(f"http://127.0.0.1:{port}/" for port in (canary.port, closed)), policy=self.PUBLIC_ONLY),
            *post(f"http://127.0.0.1:{closed}/"),
            *post("http://hooks.example/", lookup=unknown),
        ]

        assert {(result.status, result.body, result.error) for result in results} == {(None, "", NOT_REACHABLE)}


class TestTls:
    def test_the_certificate_must_be_valid_for_the_name(self, peer: Callable[..., Peer]) -> None:
        server, client = contexts("hooks.example")
        there = peer(says(OK), server)
        lookup = names(hooks=["127.0.0.1"], other=["127.0.0.1"])

        right, wrong = post(
            f"https://hooks.example:{there.port}/", f"https://other.example:{there.port}/", lookup=lookup, tls=client
        )

        assert right.is_success
        assert (wrong.status, wrong.error) == (None, "The certificate is not valid for this host.")
        assert "Hostname mismatch" in str(wrong.cause)
        assert len(there.requests) == 1

    def test_the_certificate_must_be_valid_for_the_address(self, peer: Callable[..., Peer]) -> None:
        server, client = contexts("hooks.example")
        there = peer(says(OK), server)

        (result,) = post(f"https://127.0.0.1:{there.port}/", tls=client)

        assert result.error == "The certificate is not valid for this host."
        assert there.requests == []

    @pytest.mark.parametrize(
        ("dates", "error", "cause"),
        [
            ({"not_after": PAST}, "The receiver's certificate has expired.", "expired"),
            (
                {"not_before": FUTURE, "not_after": FUTURE},
                "The receiver's certificate is not valid yet.",
                "not yet valid",
            ),
        ],
    )
    def test_the_certificate_must_be_valid_now(
        self, peer: Callable[..., Peer], dates: dict[str, datetime], error: str, cause: str
    ) -> None:
        server, client = contexts("hooks.example", **dates)
        there = peer(says(OK), server)

        (result,) = post(f"https://hooks.example:{there.port}/", lookup=names(hooks=["127.0.0.1"]), tls=client)

        assert result.error == error
        assert cause in str(result.cause)
        assert there.requests == []

    def test_an_unknown_authority_is_not_trusted(self, peer: Callable[..., Peer]) -> None:
        server, _ = contexts("hooks.example")
        there = peer(says(OK), server)

        (result,) = post(f"https://hooks.example:{there.port}/", lookup=names(hooks=["127.0.0.1"]))

        assert result.error == "The receiver's certificate was issued by an authority that this server does not trust."
        assert str(result.cause).endswith("DISTRIBU_WEBHOOK_CA_FILE adds authorities")
        assert there.requests == []

    def test_an_authority_from_a_file_is_trusted_in_addition_to_the_public_ones(
        self, peer: Callable[..., Peer], tmp_path: Path
    ) -> None:
        server, _ = contexts("hooks.example")
        there = peer(says(OK), server)
        file = tmp_path / "authority.pem"
        AUTHORITY.cert_pem.write_to_path(str(file))
        both = trust(file)

        (result,) = post(f"https://hooks.example:{there.port}/", lookup=names(hooks=["127.0.0.1"]), tls=both)

        assert result.is_success
        assert both.cert_store_stats()["x509_ca"] == trust().cert_store_stats()["x509_ca"] + 1
