"""The order of the writes to SQLite: one thread runs them, and those that have queued share a commit.

1. While a group is committed, requests queue. They are the next group: each runs in a savepoint, and its response is
   sent after the commit (`app/commit_group.py`). Nothing waits for a group to fill: a single request is a group.
2. A request that fails is undone alone. If the commit fails, every request of the group is a 503.
3. A bulk request has a group for itself, because the others would wait for it.
4. A request whose client no longer waits is not executed.

Not in this module: the threads for reads, and for writes to PostgreSQL (`app/http/threads.py`).
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

from app.commit_group import CommitGroup
from app.errors import DatabaseUnavailableError
from app.http import threads

GROUP_SECONDS = 0.02  # other processes wait for a group: 5 ms cost a quarter of the throughput, 50 ms add 4 %
MAX_MEMBERS = 64  # what they write fits into the cache of the connection

T = TypeVar("T")


class Write:
    """A request that writes, and its outcome, which depends on the commit of its group."""

    __slots__ = ("_error", "_has_begun", "_result", "_run", "future", "is_alone")

    def __init__(self, run: Callable[[CommitGroup], Any], future: asyncio.Future[Any], *, is_alone: bool) -> None:
        """Initialize with the function that runs the request in a transaction of a group."""
        self._run = run
        self._result: object = None
        self._error: BaseException | None = None
        self._has_begun = False  # a transaction
        self.future = future  # only the event loop changes it
        self.is_alone = is_alone

    def execute(self, group: CommitGroup) -> None:
        """Run the request, and keep its result or exception."""
        before = group.transactions
        try:
            self._result = self._run(group)
        except BaseException as error:  # noqa: BLE001 - the event loop raises it again
            self._error = error
        self._has_begun = group.transactions > before

    def fail(self, reason: str) -> None:
        """Replace the outcome, even a refusal, if it depends on a transaction that is lost."""
        if self._has_begun and not isinstance(self._error, DatabaseUnavailableError):
            self._error = DatabaseUnavailableError(reason)

    def finish(self) -> None:
        """Pass the outcome to the client, if it still waits. Called in the event loop."""
        if self.future.done():
            return
        if self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class WriteLane:
    """The queue of writes, and the thread that runs them for one event loop."""

    def __init__(self, new_group: Callable[[], CommitGroup], *, group_seconds: float = GROUP_SECONDS) -> None:
        """Initialize with the function that returns a new group, and the time after which one accepts no requests."""
        self._new_group = new_group
        self._group_seconds = group_seconds
        self._queue: SimpleQueue[Write | None] = SimpleQueue()
        self._next: Write | None = None  # taken from the queue, for the next group
        self._thread: threading.Thread | None = None

    async def run(self, function: Callable[[CommitGroup], T], *, is_alone: bool, seconds: float) -> T:
        """Return the result of `function` when it has been committed. Raises TimeoutError after `seconds`.

        A call that has not started by then is not run. Raises DatabaseUnavailableError if the commit fails.
        """
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, args=(loop,), name="write", daemon=True)
            self._thread.start()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(Write(function, future, is_alone=is_alone))
        return await threads.within(seconds, future)

    def stop(self) -> None:
        """Wait for the writes that have queued, and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (first := self._next or self._queue.get()) is not None:
            self._next = None
            members = self._run_group(first)
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(_finish, members)
            del first, members  # an idle thread keeps no request in memory

    def _run_group(self, first: Write) -> list[Write]:
        """Run the first request and those that have queued, and commit. Return all that were executed."""
        group = self._new_group()
        members = []
        for write in self._members(first, group):
            if not write.future.done():  # otherwise no client waits for it
                members.append(write)
                write.execute(group)
        try:
            group.finish()
        except Exception as error:  # noqa: BLE001 - every client of the group gets a 503
            for write in members:
                write.fail(str(error))
        return members

    def _members(self, first: Write, group: CommitGroup) -> Iterator[Write]:
        """Yield the first request, and the next ones until there is none, or the group accepts no more."""
        yield first
        remaining = 0 if first.is_alone else MAX_MEMBERS - 1
        while remaining and not group.is_lost() and group.seconds() < self._group_seconds and not self._queue.empty():
            write = self._queue.get()
            if write is None:
                self._queue.put(None)
                return
            if write.is_alone:
                self._next = write
                return
            remaining -= 1
            yield write


def _finish(members: list[Write]) -> None:
    for write in members:
        write.finish()
