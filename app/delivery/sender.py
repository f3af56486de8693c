"""Send one delivery: resolve, connect to what was checked, post, judge the answer (contract, sections 8.2 and 8.3).

An own client on asyncio and h11: connections are pinned to checked addresses, and everything about them is bounded.
It follows no redirect and knows no proxy. Not here: signing, retries and the queue.
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
from app.delivery.connection import Answer, Connection, StaleError, UnaskedError
from app.egress import Address, DestinationError, Lookup, Rules, Target

DEADLINE_SECONDS = 10.0
IDLE_SECONDS = 4.0  # many servers close after five
MAX_IDLE = 20  # open connections to one target
REMEMBERED_SECONDS = 5.0  # what a name stands for; the connections are pinned all the same
MAX_REMEMBERED = 1_000
TRIED_ADDRESSES = 3
CONNECT_SECONDS = 2.5  # to one of several addresses, so that there is time for the next
MAX_TEXT = 2_000
NUL = "\x00"  # a character that PostgreSQL does not store

LATE = "No complete answer within {:g} seconds."
UNASKED = "The receiver answered before the request was sent."
NOT_HTTP = "The answer is not valid HTTP."
BAD_CERTIFICATE = "The receiver's certificate is not valid."
WRONG_HOST = "The certificate is not valid for this host."
UNTRUSTED = "The receiver's certificate comes from an authority that this server does not trust."
UNTRUSTED_CODES = (18, 19, 20, 21)
CERTIFICATE_FAULTS = {  # by the codes of OpenSSL's x509_vfy.h
    9: "The receiver's certificate is not valid yet.",
    10: "The receiver's certificate has expired.",
    **dict.fromkeys(UNTRUSTED_CODES, UNTRUSTED),
    **dict.fromkeys((62, 64), WRONG_HOST),
}
CUT_OFF = "The connection was cut before the answer was complete."

Pool = dict[tuple[str, str, int], list[Connection]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How an attempt went. `status` is None when no answer came; `error` says in words what went wrong.

    `cause` says more of what went wrong, to the operator alone.
    """

    status: int | None = None
    body: str = ""
    error: str | None = None
    cause: str | None = None
    duration_ms: int = 0
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        """Tell whether the receiver took the event: it answered 2xx, and nothing was wrong with the answer."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Sender:
    """Posts to where the rules allow, over connections that are kept for a moment."""

    def __init__(
        self,
        rules: Rules,
        *,
        lookup: Lookup = egress.system_lookup,
        tls: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Take the rules; `lookup` tells what a name stands for."""
        self._rules = rules
        self._lookup = lookup
        self._tls = tls or trust()
        self._deadline = deadline_seconds
        self._idle: Pool = defaultdict(list)
        self._untidy: set[tuple[str, str, int]] = set()  # places that sent more than answers; nothing is kept to them
        self._swept = time.monotonic()
        self._addresses: dict[str, tuple[float, Sequence[Address]]] = {}

    async def __aenter__(self) -> Self:
        """Begin; nothing is connected yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what is open."""
        for connection in itertools.chain.from_iterable(self._idle.values()):
            connection.close()
        await asyncio.sleep(0)  # the loop closes sockets in its next turn

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Result:
        """Post once. Everything that goes wrong is in the result; nothing is raised."""
        started = time.monotonic()
        connection: Connection | None = None
        failure: dict[str, str] = {}
        try:
            async with asyncio.timeout(self._deadline):
                target = egress.parse(url, self._rules)
                for connection in self._kept(target):
                    with contextlib.suppress(StaleError):
                        await connection.post(target, headers, body)
                        break
                else:
                    connection = None  # until there is one
                    connection = await self._open(target)
                    await connection.post(target, headers, body)
        except (OSError, DestinationError, h11.ProtocolError) as problem:
            failure = {"error": _explain(problem, connection, self._deadline), "cause": _cause(problem)}
        finally:
            if connection is not None:
                self._keep_or_close(connection)
        answer = None if connection is None else connection.answer
        return _result(answer, round((time.monotonic() - started) * 1000), **failure)

    def _kept(self, target: Target) -> Iterator[Connection]:
        """Yield connections to the same place that were kept; who asks for another one has found the last one stale."""
        kept = self._idle[target.place]
        while kept:
            connection = kept.pop()
            if self._may_use_again(connection) and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                yield connection
            self._close(connection)

    async def _open(self, target: Target) -> Connection:
        """Connect to the first address that takes us. Raises OSError, DestinationError."""
        addresses = await self._resolve(target)
        *others, last = addresses[:TRIED_ADDRESSES]
        for address in others:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await Connection.open(target, address, self._tls)
        return await Connection.open(target, last, self._tls)

    async def _resolve(self, target: Target) -> Sequence[Address]:
        at, addresses = self._addresses.get(target.host, (0.0, ()))
        if time.monotonic() - at < REMEMBERED_SECONDS:
            return addresses
        addresses = await egress.resolve(target, self._rules, self._lookup)
        if len(self._addresses) >= MAX_REMEMBERED:
            self._addresses.clear()
        self._addresses[target.host] = time.monotonic(), addresses
        return addresses

    def _keep_or_close(self, connection: Connection) -> None:
        self._sweep()
        kept = self._idle[connection.place]
        if self._may_use_again(connection) and len(kept) < MAX_IDLE:
            kept.append(connection)
        else:
            self._close(connection)

    def _may_use_again(self, connection: Connection) -> bool:
        return connection.is_reusable and connection.place not in self._untidy

    def _close(self, connection: Connection) -> None:
        """Close a connection. A place that sent more than an answer is remembered: the next time it may be unseen."""
        if connection.has_leftover:
            if len(self._untidy) >= MAX_REMEMBERED:
                self._untidy.clear()
            self._untidy.add(connection.place)
        connection.close()

    def _sweep(self) -> None:
        """Now and then close what nobody asked for again."""
        oldest = time.monotonic() - IDLE_SECONDS
        if self._swept > oldest:
            return
        self._swept = time.monotonic()
        for place, kept in list(self._idle.items()):
            for connection in [each for each in kept if each.idle_since < oldest]:
                self._close(connection)
                kept.remove(connection)
            if not kept:
                del self._idle[place]


def trust(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts the public authorities, and those in a file beside them."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _explain(problem: Exception, connection: Connection | None, deadline: float) -> str:
    """Say what went wrong without telling what listens where nobody should look."""
    if connection is None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return CERTIFICATE_FAULTS.get(problem.verify_code, BAD_CERTIFICATE)
        return egress.NOT_REACHABLE
    if isinstance(problem, TimeoutError):
        return LATE.format(deadline)
    if isinstance(problem, UnaskedError):
        return UNASKED
    return NOT_HTTP if isinstance(problem, h11.ProtocolError) else CUT_OFF


def _cause(problem: Exception) -> str:
    """Say what went wrong to the operator, who may know it all."""
    if isinstance(problem, DestinationError):
        return problem.cause
    if isinstance(problem, ssl.SSLCertVerificationError):
        advice = "; DISTRIBU_WEBHOOK_CA_FILE adds authorities" if problem.verify_code in UNTRUSTED_CODES else ""
        return f"certificate: {problem.verify_message}{advice}"
    return str(problem) or type(problem).__name__


def _result(answer: Answer | None, duration_ms: int, *, error: str | None = None, cause: str | None = None) -> Result:
    if answer is None:
        return Result(error=error, cause=cause, duration_ms=duration_ms)
    retry_after = answer.header(b"retry-after")
    return Result(
        status=answer.status,
        body=answer.text().decode("utf-8", "replace")[:MAX_TEXT].replace(NUL, "\N{REPLACEMENT CHARACTER}"),
        error=error,
        cause=cause,
        duration_ms=duration_ms,
        retry_after=None if retry_after is None else retry_after.decode("latin-1"),
    )
