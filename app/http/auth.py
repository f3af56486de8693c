"""Who calls, how often, and for what: authentication, rate limit, scope, in this order (contract, sections 1 and 2).

The look-up of a key runs in a thread, never on the event loop, and is remembered for REMEMBER_SECONDS: that is how
long a key revoked in another process may live on. Unknown, expired and revoked keys cost the same: one look-up.
"""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from limits import RateLimitItem
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config import rate_limit
from app.context import now
from app.db import Database
from app.errors import DatabaseUnavailableError
from app.http.errors import ApiError
from app.http.ratelimit import RateLimiter
from app.http.request_state import Call, Identity, call_of
from app.services import keys
from models import ApiKey, KeyStatus

REMEMBER_SECONDS = 3.0
REMEMBER_KEYS = 10_000
LOOK_UPS = 2  # at once; the rest waits, and not for long
LOOK_UP_SECONDS = 5.0
BEARER = re.compile(rb"bearer +(\S+) *", re.IGNORECASE)
CHALLENGE = {"WWW-Authenticate": "Bearer"}


def missing() -> ApiError:
    """Return the 401 for a header that is absent, doubled, or not Bearer."""
    message = "Missing or invalid Authorization header. Use: Bearer <api_key>"
    return ApiError(HTTPStatus.UNAUTHORIZED, "authorization_missing", message, headers=CHALLENGE)


def unknown() -> ApiError:
    """Return the 401 for every key that is not good, whatever the reason."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "key_invalid", "Invalid, expired, or revoked API key.", headers=CHALLENGE)


def lacks(scope: str) -> ApiError:
    """Return the 403 that names the missing scope."""
    message = f'Insufficient permissions. This key lacks the "{scope}" scope.'
    return ApiError(HTTPStatus.FORBIDDEN, "scope_missing", message)


Known = tuple[float, ApiKey, Identity]  # until when it is remembered, the key, who it stands for


class KeyRing:
    """The good keys seen lately, each with its record."""

    def __init__(self, database: Database, default_limit: RateLimitItem) -> None:
        """Take where keys are stored and the limit of a key that has none of its own."""
        self._database = database
        self._default_limit = default_limit
        self._remembered: dict[bytes, Known] = {}
        self._running: dict[bytes, asyncio.Future[Known | None]] = {}
        self._threads = ThreadPoolExecutor(max_workers=LOOK_UPS, thread_name_prefix="key")

    async def identify(self, token: str) -> Identity | None:
        """Return who the key stands for, None for any key that is not good."""
        digest = keys.digest(token)
        known = self._remembered.get(digest)
        if known is None or known[0] < time.monotonic():
            known = await self._look_up(digest)
        if known is None or known[1].status(now()) is not KeyStatus.ACTIVE:
            return None
        return known[2]

    async def _look_up(self, digest: bytes) -> Known | None:
        """Look a key up, once for however many requests ask for it meanwhile."""
        running = self._running.get(digest)
        if running is None:
            running = self._running[digest] = asyncio.ensure_future(self._read(digest))
            running.add_done_callback(lambda _: self._running.pop(digest))
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await asyncio.shield(running)
        except TimeoutError:
            raise DatabaseUnavailableError("no key was found in time") from None

    async def _read(self, digest: bytes) -> Known | None:
        key = await asyncio.get_running_loop().run_in_executor(self._threads, self._find, digest)
        if key is None or key.status(now()) is not KeyStatus.ACTIVE:
            return None  # and is looked up again next time, like a key that nobody knows
        found = (time.monotonic() + REMEMBER_SECONDS, key, self._identity(key))
        if len(self._remembered) >= REMEMBER_KEYS:
            self._remembered.clear()
        self._remembered[digest] = found
        return found

    def _find(self, digest: bytes) -> ApiKey | None:
        with self._database.transaction() as session:
            return keys.find(session, digest)

    def _identity(self, key: ApiKey) -> Identity:
        limit = rate_limit(key.rate_limit) if key.rate_limit else self._default_limit
        return Identity(key_id=key.id, company_id=key.company_id, scopes=frozenset(key.scopes), rate_limit=limit)


class AuthMiddleware:
    """Let through who may: leaves the Identity in the Call, and the rate limit's headers for every answer."""

    def __init__(self, app: ASGIApp, *, keys: KeyRing, limiter: RateLimiter) -> None:
        """Take the keys and the counter of their requests."""
        self.app = app
        self._keys = keys
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on. Raises ApiError 401, 429 or 403; operations without a scope are for anybody."""
        if scope["type"] == "http":
            call = call_of(scope)
            assert call.operation is not None  # OperationMiddleware stands before
            if call.operation.scope is not None:
                await self._admit(scope, call, call.operation.scope)
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope, call: Call, needed: str) -> None:
        call.identity = await self._keys.identify(_token(scope))
        if call.identity is None:
            raise unknown()
        quota = await self._limiter.hit(call.identity.rate_limit, call.identity.key_id)
        call.headers.extend(quota.headers())
        if not quota.allowed:
            raise quota.refusal()
        if needed not in call.identity.scopes:
            raise lacks(needed)


def _token(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    match = BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise missing()
    return match[1].decode("latin-1")
