"""Reads that the event loop runs itself, because they take no longer than passing them to a thread.

Why they do not delay other requests (docs/decisions/0025):

1. The database is SQLite, where a reader never waits for a writer, and the connection does not wait for any lock.
2. The resource is one row, which the operation reads by its id.
3. The last reads were fast: a slow disk delays other requests MAX_SLOW_READS times in PAUSE_SECONDS.
"""

import contextvars
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from starlette.types import Scope

from app.db import Database
from app.errors import DatabaseUnavailableError
from app.http.request_state import RequestState
from app.services import versions

SLOW_SECONDS = 0.005  # a read in memory takes less than 0.2 ms; one from a disk up to seconds
MAX_SLOW_READS = 3  # in a row; one alone may have waited for the processor
PAUSE_SECONDS = 1.0

T = TypeVar("T")


class ShortReads:
    """Decides which requests the event loop runs, and runs them."""

    def __init__(self, database: Database, handlers: Mapping[str, Callable[..., object]]) -> None:
        """Find the operations that read one row."""
        found = {name: versions.find(handler) for name, handler in handlers.items()}
        one_row = {name for name, query in found.items() if query is not None and query.version.is_one_row}
        self.operations = one_row if database.can_read_on_loop else set()
        self._context = contextvars.Context()  # shared by all reads, so that Flask's stays in it
        self._slow_reads = 0
        self._paused_until = 0.0

    def include(self, state: RequestState) -> bool:
        """Return whether the event loop may run a request."""
        assert state.operation is not None  # RoutingMiddleware runs first
        return state.operation.id in self.operations and time.monotonic() >= self._paused_until

    def run(self, state: RequestState, function: Callable[[Scope], T], scope: Scope) -> T | None:
        """Return what `function` returns, or None if the database is locked: a thread then runs the request."""
        started = time.monotonic()
        state.is_on_loop = True
        try:
            return self._context.run(function, scope)
        except DatabaseUnavailableError:
            return None
        finally:
            state.is_on_loop = False
            self._record(started, time.monotonic())

    def _record(self, started: float, ended: float) -> None:
        self._slow_reads = self._slow_reads + 1 if ended - started > SLOW_SECONDS else 0
        if self._slow_reads == MAX_SLOW_READS:
            self._slow_reads = 0
            self._paused_until = ended + PAUSE_SECONDS
