"""The one thing passed down from the edge: who calls, for which company, in which transaction."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from limits import RateLimitItem
from sqlalchemy.orm import Session

from app.egress import EgressPolicy


class ActorType(StrEnum):
    """Who stands behind a change (contract, section 10)."""

    API_KEY = "API_KEY"
    USER = "USER"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """A key by its id, a person at the command line by name, or the system itself."""

    type: ActorType
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CallingKey:
    """The API key of a request, as authentication found it. `rate_limit` is the one in force."""

    id: str
    company_id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    expires_at: datetime | None
    rate_limit: RateLimitItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a service needs to know about the request it works for."""

    session: Session
    actor: Actor
    company_id: str
    request_id: str
    now: datetime
    egress_policy: EgressPolicy = field(default_factory=EgressPolicy)  # where webhooks may go
    address: str | None = None  # where the request came from; None at the command line
    key: CallingKey | None = None  # None at the command line and in background work


class Transactions(Protocol):
    """Opens transactions for work on one company that takes several of them."""

    def __call__(self, *, write: bool = False) -> AbstractContextManager[Context]:
        """Return a transaction that begins now and commits at the end of a block."""


def not_before(ctx: Context, moment: datetime) -> Context:
    """Return the context no earlier than `moment`, when the row at hand was last changed.

    A request that waited for a row began before the one it waited for ended; its change still came later.
    """
    return ctx if ctx.now >= moment else replace(ctx, now=moment)


def now() -> datetime:
    """Return the present moment in UTC, cut to the millisecond that is stored and shown."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
