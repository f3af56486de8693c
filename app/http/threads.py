"""Threads that run calls for the event loop.

`loop.run_in_executor` costs as much as a small statement: it wraps each call in two futures and wakes a thread through
two locks. In this module a call is an entry of a queue, and its outcome is one callback of the event loop.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Call(NamedTuple):
    """A call to be run. Only the event loop changes the future."""

    function: Callable[[Any], Any]
    argument: Any
    future: asyncio.Future[Any]


class Threads:
    """Up to a number of threads, which run the calls of one event loop in their order."""

    def __init__(self, maximum: int, name: str) -> None:
        """Initialize without a thread. One is started for a call that no idle thread can run."""
        self._maximum = maximum
        self._name = name
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0  # calls in the queue or in a thread; only the event loop counts them

    async def run(self, function: Callable[[Any], T], argument: object, *, seconds: float) -> T:
        """Return `function(argument)`. Raises TimeoutError after `seconds`, and what the function raises.

        A call that has not started by then is not run.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._unfinished += 1
        if len(self._threads) < min(self._unfinished, self._maximum):
            self._start(loop)
        self._calls.put(Call(function, argument, future))
        return await within(seconds, future)

    def stop(self) -> None:
        """Wait for the calls that have started, and end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=self._work, args=(loop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (call := self._calls.get()) is not None:
            result, error = None, None
            try:
                if not call.future.done():  # otherwise its caller no longer waits
                    result = call.function(call.argument)
            except BaseException as raised:  # noqa: BLE001 - the event loop raises it again
                error = raised
            with contextlib.suppress(RuntimeError):  # the event loop is closed
                loop.call_soon_threadsafe(self._finish, call.future, result, error)
            del call, result, error  # an idle thread keeps no request in memory

    def _finish(self, future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        self._unfinished -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


async def within(seconds: float, future: asyncio.Future[T]) -> T:
    """Return the result of `future`. Raises TimeoutError after `seconds`: the future is then done."""
    timer = asyncio.get_running_loop().call_later(seconds, _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
