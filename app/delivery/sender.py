"""Send one delivery: resolve the name, connect to a checked address, post, read the response.

The client is built on asyncio and h11 (contract, sections 8.2 and 8.3), because connections must be pinned to checked
addresses and every resource must be limited. It does not follow redirects and does not use a proxy.

Not in this module: one connection (`app/delivery/connection.py`), signatures, retries and the queue.
"""

import asyncio
import contextlib
import itertools
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import certifi
import h11

from app import egress
from app.delivery.connection import Connection, Response, StaleError, UnsolicitedResponseError
from app.egress import DestinationError, EgressPolicy, Lookup, Origin, Target
from app.networks import Address

DEADLINE_SECONDS = 10.0  # of an attempt (contract, section 8.2)
IDLE_SECONDS = 4.0  # many servers close after five
MAX_IDLE = 20  # kept connections to one origin
LOOKUP_CACHE_SECONDS = 5.0  # a cached address is connected to, never looked up again
MAX_CACHED = 1_000  # host names, and origins that sent too much
MAX_TRIED_ADDRESSES = 3
CONNECT_SECONDS = 2.5  # to connect to one of several addresses, which leaves time for the next
MAX_BODY_CHARACTERS = 2_000  # stored of a response (contract, section 8.2)
NUL = "\x00"  # the only character that PostgreSQL does not store

TIMED_OUT = "No complete response within {:g} seconds."
UNSOLICITED = "The receiver sent a response before the request."
NOT_HTTP = "The response is not valid HTTP."
INVALID_CERTIFICATE = "The receiver's certificate is not valid."
WRONG_HOST = "The certificate is not valid for this host."
UNTRUSTED = "The receiver's certificate was issued by an authority that this server does not trust."
UNTRUSTED_CODES = (18, 19, 20, 21)
CERTIFICATE_ERRORS = {  # by the codes of OpenSSL's x509_vfy.h
    9: "The receiver's certificate is not valid yet.",
    10: "The receiver's certificate has expired.",
    **dict.fromkeys(UNTRUSTED_CODES, UNTRUSTED),
    **dict.fromkeys((62, 64), WRONG_HOST),
}
CUT_OFF = "The connection was closed before the response was complete."


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of one attempt. `status` is None without a response; `error` describes what went wrong.

    `cause` is a more detailed error, for the operator only.
    """

    status: int | None = None
    body: str = ""
    error: str | None = None
    cause: str | None = None
    duration_ms: int = 0
    retry_after: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver accepted the event: a complete and valid 2xx response."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Sender:
    """Posts to the destinations that a policy allows, over connections that are kept for IDLE_SECONDS."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        lookup: Lookup = egress.system_lookup,
        tls: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Initialize with the policy. `lookup` resolves host names."""
        self._policy = policy
        self._lookup = lookup
        self._tls = tls or trust()
        self._deadline = deadline_seconds
        self._idle: dict[Origin, list[Connection]] = defaultdict(list)
        self._unreliable: set[Origin] = set()  # origins that sent more than a response; their connections are not kept
        self._swept = time.monotonic()
        self._addresses: dict[str, tuple[float, Sequence[Address]]] = {}

    async def __aenter__(self) -> Self:
        """Return the sender; connections are opened on demand."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the kept connections."""
        for connection in itertools.chain.from_iterable(self._idle.values()):
            connection.close()
        await asyncio.sleep(0)  # the event loop closes sockets in its next turn

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Result:
        """Post once and return the result. Network errors are part of the result and are not raised."""
        started = time.monotonic()
        connection: Connection | None = None
        failure: dict[str, str] = {}
        try:
            async with asyncio.timeout(self._deadline):
                target = egress.parse(url, self._policy)
                for connection in self._kept(target):
                    with contextlib.suppress(StaleError):
                        await connection.post(target, headers, body)
                        break
                else:
                    connection = None  # an error of `_open` is not an error of a connection
                    connection = await self._open(target)
                    await connection.post(target, headers, body)
        except (OSError, DestinationError, h11.ProtocolError) as error:
            failure = {"error": _error_text(error, connection, self._deadline), "cause": _cause(error)}
        finally:
            if connection is not None:
                self._keep_or_close(connection)
        response = None if connection is None else connection.response
        return _result(response, round((time.monotonic() - started) * 1000), **failure)

    def _kept(self, target: Target) -> Iterator[Connection]:
        """Yield the kept connections to a target. The caller requests the next one if the last one was stale."""
        kept = self._idle[target.origin]
        while kept:
            connection = kept.pop()
            if self._is_reusable(connection) and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                yield connection
            self._close(connection)

    async def _open(self, target: Target) -> Connection:
        """Connect to the first address that accepts the connection. Raises OSError and DestinationError."""
        addresses = await self._resolve(target)
        *others, last = addresses[:MAX_TRIED_ADDRESSES]
        for address in others:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await Connection.open(target, address, self._tls)
        return await Connection.open(target, last, self._tls)

    async def _resolve(self, target: Target) -> Sequence[Address]:
        resolved_at, addresses = self._addresses.get(target.host, (0.0, ()))
        if time.monotonic() - resolved_at < LOOKUP_CACHE_SECONDS:
            return addresses
        addresses = await egress.resolve(target, self._policy, self._lookup)
        if len(self._addresses) >= MAX_CACHED:
            self._addresses.clear()
        self._addresses[target.host] = time.monotonic(), addresses
        return addresses

    def _keep_or_close(self, connection: Connection) -> None:
        self._sweep()
        kept = self._idle[connection.origin]
        if self._is_reusable(connection) and len(kept) < MAX_IDLE:
            kept.append(connection)
        else:
            self._close(connection)

    def _is_reusable(self, connection: Connection) -> bool:
        return connection.is_reusable and connection.origin not in self._unreliable

    def _close(self, connection: Connection) -> None:
        """Close a connection. Remember an origin that sent more than a response: next time, it may not be noticed."""
        if connection.has_leftover:
            if len(self._unreliable) >= MAX_CACHED:
                self._unreliable.clear()
            self._unreliable.add(connection.origin)
        connection.close()

    def _sweep(self) -> None:
        """Close unused connections, once in IDLE_SECONDS."""
        oldest = time.monotonic() - IDLE_SECONDS
        if self._swept > oldest:
            return
        self._swept = time.monotonic()
        for origin, kept in list(self._idle.items()):
            for connection in [connection for connection in kept if connection.idle_since < oldest]:
                self._close(connection)
                kept.remove(connection)
            if not kept:
                del self._idle[origin]


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a TLS context that trusts the public authorities and those in `ca_file`."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _error_text(error: Exception, connection: Connection | None, deadline: float) -> str:
    """Return the error text for API clients. It must not reveal what listens on addresses that are not allowed."""
    if connection is None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return CERTIFICATE_ERRORS.get(error.verify_code, INVALID_CERTIFICATE)
        return egress.NOT_REACHABLE
    if isinstance(error, TimeoutError):
        return TIMED_OUT.format(deadline)
    if isinstance(error, UnsolicitedResponseError):
        return UNSOLICITED
    return NOT_HTTP if isinstance(error, h11.ProtocolError) else CUT_OFF


def _cause(error: Exception) -> str:
    """Return the error text for the operator, without omissions."""
    if isinstance(error, DestinationError):
        return error.cause
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = "; DISTRIBU_WEBHOOK_CA_FILE adds authorities" if error.verify_code in UNTRUSTED_CODES else ""
        return f"certificate: {error.verify_message}{advice}"
    return str(error) or type(error).__name__


def _result(
    response: Response | None, duration_ms: int, *, error: str | None = None, cause: str | None = None
) -> Result:
    if response is None:
        return Result(error=error, cause=cause, duration_ms=duration_ms)
    retry_after = response.header(b"retry-after")
    text = response.content().decode("utf-8", "replace")[:MAX_BODY_CHARACTERS]
    return Result(
        status=response.status,
        body=text.replace(NUL, "\N{REPLACEMENT CHARACTER}"),
        error=error,
        cause=cause,
        duration_ms=duration_ms,
        retry_after=None if retry_after is None else retry_after.decode("latin-1"),
    )
