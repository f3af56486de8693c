"""The threads that run requests for the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from app.http.threads import Threads
from tests.support import waiting


@contextlib.contextmanager
def threads(maximum: int) -> Iterator[Threads]:
    started = Threads(maximum, "test")
    try:
        yield started
    finally:
        started.stop()


async def run_all(pool: Threads, numbers: list[int]) -> list[int]:
    def square(number: int) -> int:
        return number * number

    return await asyncio.gather(*(pool.run(square, number, seconds=waiting.SECONDS) for number in numbers))


def test_each_call_returns_its_own_result() -> None:
    with threads(3) as pool:
        assert asyncio.run(run_all(pool, list(range(50)))) == [number * number for number in range(50)]


def test_an_exception_of_the_function_is_raised() -> None:
    with threads(1) as pool, pytest.raises(ZeroDivisionError):
        asyncio.run(pool.run(lambda number: 1 / number, 0, seconds=waiting.SECONDS))


def test_one_thread_runs_calls_in_their_order() -> None:
    seen: list[int] = []

    async def run() -> None:
        await asyncio.gather(*(pool.run(seen.append, number, seconds=waiting.SECONDS) for number in range(20)))

    with threads(1) as pool:
        asyncio.run(run())

    assert seen == list(range(20))


def test_as_many_calls_run_at_the_same_time_as_there_are_threads() -> None:
    together = threading.Barrier(3)

    async def run() -> None:
        waits = (pool.run(together.wait, waiting.SECONDS, seconds=waiting.SECONDS) for _ in range(3))
        assert sorted(await asyncio.gather(*waits)) == [0, 1, 2]

    with threads(3) as pool:
        asyncio.run(run())


def test_a_thread_is_started_only_for_a_call_that_no_idle_thread_can_run() -> None:
    names: set[str] = set()

    async def run() -> None:
        for _ in range(10):
            await pool.run(lambda _: names.add(threading.current_thread().name), None, seconds=waiting.SECONDS)

    with threads(5) as pool:
        asyncio.run(run())

    assert names == {"test_0"}


def test_a_call_that_has_not_started_in_time_is_not_run() -> None:
    release = threading.Event()
    seen: list[str] = []

    async def run() -> None:
        running = asyncio.ensure_future(pool.run(release.wait, waiting.SECONDS, seconds=waiting.SECONDS))
        await asyncio.sleep(0)  # it has queued
        with pytest.raises(TimeoutError):
            await pool.run(seen.append, "late", seconds=0)
        release.set()
        assert await running
        await pool.run(seen.append, "next", seconds=waiting.SECONDS)

    with threads(1) as pool:
        asyncio.run(run())

    assert seen == ["next"]


def test_a_call_that_takes_too_long_ends_without_an_effect_on_the_next_one() -> None:
    release = threading.Event()

    async def run() -> str:
        with pytest.raises(TimeoutError):
            await pool.run(release.wait, waiting.SECONDS, seconds=0.01)
        release.set()
        return await pool.run(str, "next", seconds=waiting.SECONDS)

    with threads(1) as pool:
        assert asyncio.run(run()) == "next"


def test_stop_waits_for_the_calls_that_have_started() -> None:
    release = threading.Event()
    ended: list[bool] = []

    def work(_: None) -> None:
        release.wait(waiting.SECONDS)
        ended.append(True)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await pool.run(work, None, seconds=0.01)

    with threads(1) as pool:
        asyncio.run(run())
        threading.Timer(0.01, release.set).start()

    assert ended == [True]
