"""The context of a request or a command: who acts, for which company, in which transaction."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from limits import RateLimitItem
from sqlalchemy.orm import Session

from app import networks
from app.egress import EgressPolicy
from app.networks import Network
from app.preconditions import NO_PRECONDITION, Precondition
from models.base import EPOCH, MILLISECOND


class ActorType(StrEnum):
    """The type of the actor of a change (contract, section 10)."""

    API_KEY = "API_KEY"
    USER = "USER"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who made a change: a key by its id, a command-line user by name, or the system itself."""

    type: ActorType
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CallingKey:
    """The API key of a request, as authentication found it. `rate_limit` is the one in force.

    `default_rate_limit` is that of the server, for keys without a limit.
    """

    id: str
    company_id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    expires_at: datetime | None
    rate_limit: RateLimitItem
    default_rate_limit: RateLimitItem
    allowed_networks: tuple[Network, ...] = ()  # none: it may be used from everywhere

    def may_be_used_from(self, address: str | None) -> bool:
        """Return True if a client with this address may use the key. An unknown address is in no network."""
        if not self.allowed_networks:
            return True
        parsed = None if address is None else networks.parse_address(address)
        return parsed is not None and networks.contain(self.allowed_networks, parsed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a service knows about the request that it handles."""

    session: Session
    actor: Actor
    company_id: str
    request_id: str
    now: datetime
    egress_policy: EgressPolicy = field(default_factory=EgressPolicy)  # where webhooks may go
    address: str | None = None  # where the request came from; None on the command line
    key: CallingKey | None = None  # None on the command line and in background work
    precondition: Precondition = NO_PRECONDITION  # of the resource that the request writes


class Transactions(Protocol):
    """Opens transactions, for work for one company that needs several of them."""

    def __call__(self, *, write: bool = False) -> AbstractContextManager[Context]:
        """Return a transaction that begins now and commits at the end of a block."""


def later_than(ctx: Context, *changes: datetime) -> Context:
    """Return the context with a `now` after `changes`, the times of the last changes of the rows to be changed.

    The `updated_at` of a row is its version (contract, section 9.2), so it grows with every change: also in the same
    millisecond, and for a request that waited for the lock of the row and began before the change that it waited for.
    """
    now = max([ctx.now, *(next_time(at) for at in changes)])
    return ctx if now == ctx.now else replace(ctx, now=now)


def next_time(at: datetime) -> datetime:
    """Return the first time after `at`: the earliest `updated_at` of a row whose last change was at `at`."""
    return at + MILLISECOND


def now() -> datetime:
    """Return the current time in UTC, truncated to the millisecond as it is stored and shown."""
    return EPOCH + time.time_ns() // 1_000_000 * MILLISECOND  # in a third of the time of datetime.now and replace
