"""A group of transactions on SQLite that are committed together, with one flush of the disk (docs/decisions/0024).

1. The group holds the connection of the writer, and SQLite's lock, from its first transaction to its commit.
2. Each transaction is a savepoint: one that fails is undone alone. All of them have the time at which the group began.
3. SQLite undoes the whole group if it runs out of disk space or memory, or cannot read or write. The group is then
   lost: it accepts no more transactions, and its commit raises.

Not in this module: which transactions are in a group (`app/http/write_lane.py`), a transaction alone (`app/db.py`).
"""

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, Engine

from app import clock, sqlite
from app.errors import DatabaseUnavailableError
from app.sqlite import WriterConnection


class CommitGroup:
    """The transactions of a group. It begins with the first one, and may stay empty."""

    def __init__(self, writer: Engine, times: clock.Clock) -> None:
        """Initialize with the engine of the writer, and the clock of writes."""
        self._writer = writer
        self._clock = times
        self._connection: Connection | None = None
        self._driver: WriterConnection | None = None
        self._effects: list[Callable[[], object]] = []
        self._has_failed = False
        self._begun = 0.0  # on the monotonic clock
        self.started_at: datetime | None = None  # the time of every transaction
        self.transactions = 0

    def connection(self) -> Connection:
        """Return the connection, for the next transaction, which begins and commits as a savepoint.

        Raises DatabaseUnavailableError, OperationalError or TimeoutError if the group cannot begin: it is then lost.
        """
        if self._connection is None:
            self._has_failed = True  # until it has begun
            self._connection = self._writer.connect()
            self._driver = sqlite.driver(self._connection)
            self._driver.execute(sqlite.KEEP_IN_MEMORY).close()
            sqlite.begin(self._driver)
            self._begun = time.monotonic()
            self.started_at = self._clock.start_write(self._connection)
            self._driver.is_shared = True
            self._has_failed = False
        self.transactions += 1
        return self._connection

    def seconds(self) -> float:
        """Return for how long the group has been keeping other processes from writing."""
        return time.monotonic() - self._begun if self._begun else 0.0

    def is_lost(self) -> bool:
        """Return True if the group could not begin, or if SQLite has undone it."""
        return self._has_failed or (self._driver is not None and not self._driver.in_transaction)

    def after_commit(self, effect: Callable[[], object]) -> None:
        """Call `effect`, which must not raise, when the group has been committed."""
        self._effects.append(effect)

    def finish(self) -> None:
        """Commit the transactions. Raises DatabaseUnavailableError if they are lost."""
        try:
            if self.is_lost():
                raise DatabaseUnavailableError("SQLite has undone the transactions of a group.")
            if self._driver is not None:
                _commit(self._driver)
        finally:
            self._close()
        for effect in self._effects:
            effect()

    def _close(self) -> None:
        """Return the connection to the pool, which undoes what was not committed."""
        if self._driver is not None:
            self._driver.is_shared = False
        if self._connection is not None:
            self._connection.close()


def _commit(driver: WriterConnection) -> None:
    driver.is_shared = False
    try:
        driver.commit()
    except sqlite3.Error as error:
        raise DatabaseUnavailableError(f"The transactions of a group could not be committed: {error}.") from error
