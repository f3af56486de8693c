"""Background work: functions that run repeatedly while the server is running."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundJob:
    """A function with a name for the log, and the pause between two runs."""

    name: str
    run: Callable[[], Awaitable[None]]
    pause_seconds: float


@contextlib.asynccontextmanager
async def running(*jobs: BackgroundJob) -> AsyncIterator[None]:
    """Run every job immediately, and again after each pause, until the block ends."""
    tasks = [asyncio.create_task(_repeat(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(job: BackgroundJob) -> None:
    while True:
        try:
            await job.run()
        except Exception as error:  # noqa: BLE001 - it runs again after the pause
            LOG.warning("%s failed: %s", job.name, error)
        await asyncio.sleep(job.pause_seconds)
