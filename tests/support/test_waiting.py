"""The helpers themselves: threads and processes end, and errors in threads are raised."""

import subprocess
import sys
import threading

import pytest

from tests.support import waiting


class Left(Exception):  # noqa: N818 - raised to leave a block
    pass


def test_a_timeout_names_the_condition() -> None:
    with pytest.raises(AssertionError, match="not within 0 s: pigs fly"):
        waiting.eventually(lambda: False, "pigs fly", seconds=0)


def test_calls_run_concurrently_and_return_in_order() -> None:
    meeting = threading.Barrier(5)

    def meet(number: int) -> int:
        meeting.wait(waiting.SECONDS)
        return number

    assert waiting.concurrently(*[lambda number=number: meet(number) for number in range(5)]) == [0, 1, 2, 3, 4]


def test_background_work_ends_with_its_block() -> None:
    ended = []

    def work(stop: threading.Event) -> None:
        assert stop.wait(waiting.SECONDS)
        ended.append(stop)

    with pytest.raises(Left), waiting.in_background(work, 3):
        raise Left
    assert len(ended) == 3


def test_an_error_in_background_work_is_raised() -> None:
    def work(_: threading.Event) -> None:
        raise Left

    with pytest.raises(Left), waiting.in_background(work):
        pass


def test_a_process_ends_with_its_block() -> None:
    with pytest.raises(Left), waiting.process([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        raise Left
    assert process.returncode == -9


def test_ending_a_process_returns_its_exit_code() -> None:
    with waiting.process([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert waiting.end(process) == -15
