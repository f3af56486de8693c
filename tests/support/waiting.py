"""Wait for threads and processes. Every wait has a limit, and a block ends what it has started."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

SECONDS = 180.0  # a slow machine does not reach it


def eventually(look: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """Return the first true result of `look`. Raises AssertionError if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (result := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
    return result


def until_processed(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send a request with an idempotency key, and repeat it while it is refused temporarily, as clients do.

    A server that is busy refuses with 503, and with 409 while the first attempt still runs.
    """

    def attempt() -> httpx.Response | None:
        response = send()
        return None if response.status_code in {409, 503} else response

    return eventually(attempt, "the request is processed")


@contextlib.contextmanager
def threads(*calls: Callable[[], T]) -> Iterator[list[Future[T]]]:
    """Run every call in a separate thread; wait for all of them at the end of the block.

    Raises AssertionError if a call does not end. Its thread does not keep the process alive.
    """
    futures: list[Future[T]] = [Future() for _ in calls]
    for call, future in zip(calls, futures, strict=True):
        threading.Thread(target=_run, args=(call, future), daemon=True).start()
    try:
        yield futures
    finally:
        late = wait(futures, SECONDS).not_done
        assert not late, f"{len(late)} of {len(calls)} threads did not end within {SECONDS:.0f} s"


def concurrently(*calls: Callable[[], T]) -> list[T]:
    """Run every call in a separate thread, all starting together; return their results in order."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(SECONDS)
        return call()

    with threads(*[partial(run, call) for call in calls]) as futures:
        pass
    return [future.result() for future in futures]


@contextlib.contextmanager
def in_background(work: Callable[[threading.Event], None], count: int = 1) -> Iterator[None]:
    """Run `work` in `count` threads during the block, until its argument is set. Raises what the work raises."""
    stop = threading.Event()
    futures: list[Future[None]] = []
    try:
        with threads(*[partial(work, stop)] * count) as futures:
            try:
                yield
            finally:
                stop.set()
    finally:
        for future in futures:
            future.result()


@contextlib.contextmanager
def process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process, and kill it at the end of the block if it still runs."""
    with subprocess.Popen(command, **options) as running:
        try:
            yield running
        finally:
            running.kill()


def until_it_listens(running: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a process accepts connections on a port. Raises AssertionError with its log if it ends."""

    def listens() -> bool:
        assert running.poll() is None, f"{running.args!r} ended:\n{log.read_text()}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    eventually(listens, f"something listens on port {port}")


def end(running: subprocess.Popen[bytes]) -> int:
    """Stop a process with SIGTERM; return its exit code. Kill it if it does not end."""
    running.terminate()
    try:
        return running.wait(SECONDS)
    finally:
        running.kill()


def _run(call: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised again by `result`
        future.set_exception(error)
