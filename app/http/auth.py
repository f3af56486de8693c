"""Authentication, rate limit and scope of a request, checked in this order (contract, sections 1 and 2).

Keys are looked up in threads, never on the event loop, and cached for CACHE_SECONDS: a key that another process revokes
is accepted for that long, and one that this process revokes is not. Every key that is refused costs one lookup: the
time does not reveal whether it exists.
"""

import asyncio
import re
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import NamedTuple

from limits import RateLimitItem
from starlette.types import ASGIApp, Receive, Scope, Send

import models
from app import networks
from app.config import rate_limit
from app.context import CallingKey, now
from app.db import Database
from app.errors import DatabaseUnavailableError
from app.http.errors import CHALLENGE, ApiError, key_invalid
from app.http.middleware import HttpMiddleware
from app.http.ratelimit import RateLimiter
from app.http.request_state import RequestHeaders, RequestState, state_of
from app.http.weight import Weight
from app.services import keys
from app.spec import Operation
from models import ApiKey, KeyStatus

CACHE_SECONDS = 3.0  # the contract promises that a revoked key stops working within five
MAX_CACHED_KEYS = 10_000
LOOKUP_THREADS = 2
LOOKUP_SECONDS = 5.0  # including the wait for a thread
BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)


def authorization_missing() -> ApiError:
    """Return the 401 for an Authorization header that is absent, repeated, or not Bearer."""
    message = "Missing or invalid Authorization header. Use: Bearer <api_key>"
    return ApiError(HTTPStatus.UNAUTHORIZED, "authorization_missing", message, headers=CHALLENGE)


def scope_missing(scope: models.Scope) -> ApiError:
    """Return the 403 that names the missing scope."""
    message = f'Insufficient permissions. This key lacks the "{scope}" scope.'
    return ApiError(HTTPStatus.FORBIDDEN, "scope_missing", message)


class CachedKey(NamedTuple):
    """An active key; after `expires`, a monotonic time, it is looked up again."""

    expires: float
    record: ApiKey
    calling_key: CallingKey

    def is_valid(self) -> bool:
        """Return True if the key is active, according to a recent lookup."""
        return self.expires >= time.monotonic() and self.is_active()

    def is_active(self) -> bool:
        """Return True if the key has not expired since it was looked up."""
        return self.calling_key.expires_at is None or self.record.status(now()) is KeyStatus.ACTIVE


class KeyCache:
    """The active keys of recent requests."""

    def __init__(self, database: Database, default_limit: RateLimitItem) -> None:
        """Initialize with the database of the keys, and the default rate limit."""
        self._database = database
        self._default_limit = default_limit
        self._cached: dict[bytes, CachedKey] = {}
        self._running: dict[bytes, asyncio.Future[CachedKey | None]] = {}
        self._lock = threading.Lock()  # of what is cached and running, for `forget`
        self._threads = ThreadPoolExecutor(max_workers=LOOKUP_THREADS, thread_name_prefix="key")

    async def find(self, plaintext: str, address: str | None) -> CallingKey | None:
        """Return the key with this plaintext, or None if it is not active.

        The caller decides whether it may be used from `address`. If not, the key is looked up even if it is cached:
        refusing it must cost as much as refusing an unknown key.
        """
        digest = keys.digest(plaintext)
        cached = self._cached.get(digest)
        if cached is not None and cached.is_valid() and cached.calling_key.may_be_used_from(address):
            return cached.calling_key
        found = await self._look_up(digest)
        return found.calling_key if found is not None and found.is_active() else None

    def forget(self, digests: Iterable[bytes]) -> None:
        """Forget keys that were changed, also what a running lookup will find. Any thread may call this."""
        with self._lock:
            for digest in digests:
                self._cached.pop(digest, None)
                self._running.pop(digest, None)

    async def _look_up(self, digest: bytes) -> CachedKey | None:
        """Look up a key. Concurrent requests with the same key share one lookup."""
        running = self._running.get(digest)
        if running is None:
            running = self._running[digest] = asyncio.ensure_future(self._read(digest))
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await asyncio.shield(running)
        except TimeoutError:
            raise DatabaseUnavailableError(f"an API key was not found within {LOOKUP_SECONDS:.0f} s") from None

    async def _read(self, digest: bytes) -> CachedKey | None:
        found: CachedKey | None = None  # not cached: looked up again with the next request
        expires = time.monotonic() + CACHE_SECONDS  # from before the read, however long it takes
        try:
            record = await asyncio.get_running_loop().run_in_executor(self._threads, self._select, digest)
            if record is not None and record.status(now()) is KeyStatus.ACTIVE:
                found = CachedKey(expires, record, self._calling_key(record))
            return found
        finally:
            self._end_lookup(digest, found)

    def _end_lookup(self, digest: bytes, found: CachedKey | None) -> None:
        """Cache what a lookup has found, unless the key was changed while it ran."""
        with self._lock:
            if self._running.get(digest) is asyncio.current_task():
                del self._running[digest]
                if found is not None:
                    if len(self._cached) >= MAX_CACHED_KEYS:
                        self._cached.clear()
                    self._cached[digest] = found

    def _select(self, digest: bytes) -> ApiKey | None:
        with self._database.transaction() as session:
            return keys.find(session, digest)

    def _calling_key(self, record: ApiKey) -> CallingKey:
        return CallingKey(
            id=record.id,
            company_id=record.company_id,
            name=record.name,
            prefix=record.prefix,
            scopes=frozenset(record.scopes),
            expires_at=record.expires_at,
            rate_limit=rate_limit(record.rate_limit) if record.rate_limit else self._default_limit,
            default_rate_limit=self._default_limit,
            allowed_networks=tuple(networks.parse_cidr(network) for network in record.allowed_networks),
        )


class AuthMiddleware(HttpMiddleware):
    """Forward only authorized requests. Store the key and the rate limit headers in the RequestState."""

    def __init__(self, app: ASGIApp, *, keys: KeyCache, limiter: RateLimiter, weights: Mapping[str, Weight]) -> None:
        """Initialize with the keys, the counter of their requests, and the operations that count as several."""
        super().__init__(app)
        self._keys = keys
        self._limiter = limiter
        self._max_weights = {name: weight.maximum for name, weight in weights.items()}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request. Raises ApiError 401, 429 or 403; a public operation needs no key."""
        state = state_of(scope)
        assert state.operation is not None  # RoutingMiddleware runs first
        if not state.operation.is_public:
            await self._admit(state, state.operation)
        await self.app(scope, receive, send)

    async def _admit(self, state: RequestState, operation: Operation) -> None:
        state.key = await self._keys.find(
            _plaintext(state.received), state.address
        )  # in the access log, even if it is refused
        if state.key is None or not state.key.may_be_used_from(state.address):
            raise key_invalid()
        weight = self._max_weights.get(operation.id, 1)  # the body, which decides, has not been read
        quota = await self._limiter.hit(state.key.rate_limit, state.key.id, weight=weight)
        state.headers = quota.headers()
        if not quota.allowed:
            raise quota.refusal()
        if operation.scope is not None and operation.scope not in state.key.scopes:
            raise scope_missing(operation.scope)


def _plaintext(received: RequestHeaders) -> str:
    given = received.all(b"authorization")
    match = BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise authorization_missing()
    return match[1].decode("latin-1")
