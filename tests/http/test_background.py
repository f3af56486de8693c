"""Background jobs run again after a failure, and end with the server."""

import asyncio

from app.http import background
from app.http.background import BackgroundJob


def test_a_job_that_fails_runs_again_until_the_block_ends() -> None:
    runs: list[str] = []
    has_run_again = asyncio.Event()

    async def fail() -> None:
        runs.append("run")
        if len(runs) == 3:
            has_run_again.set()
        raise RuntimeError("a failure")

    async def serve() -> int:
        async with background.running(BackgroundJob(name="failing", run=fail, pause_seconds=0)):
            await has_run_again.wait()
        return len(asyncio.all_tasks())

    assert asyncio.run(serve()) == 1  # the task of `serve` itself
    assert len(runs) >= 3
