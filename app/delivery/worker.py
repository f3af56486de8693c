"""The worker: claims due deliveries, sends them, and records their outcomes. Any number of workers can run.

The database is used in rounds, in one thread. A round is one transaction: it records the attempts that have ended since
the last round and claims due deliveries. No transaction is open while a request is in flight.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from app import clock
from app.config import Settings
from app.context import now
from app.db import Database, retrying
from app.delivery import queue, signing
from app.delivery.concurrency import ConcurrencyLimiter
from app.delivery.queue import Job, Outcome
from app.delivery.sender import DEADLINE_SECONDS, Result, Sender, trust
from app.errors import DatabaseUnavailableError
from app.services import webhook_secrets

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.2
BATCH_SECONDS = 0.01  # attempts that end within this time are recorded together
LEASE = timedelta(seconds=30)  # three times the deadline of an attempt
PAUSE_SECONDS = 2.0  # after a round that failed
NOT_SENT = "The delivery could not be sent. The reason is in the log of this server."


class Worker:
    """One worker on one database."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        lease: timedelta = LEASE,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Initialize with the settings and the database. `run` starts the work."""
        self._database = database
        self._schedule = settings.webhook_retry_schedule
        self._policy = settings.egress_policy
        self._tls = trust(settings.webhook_ca_file)
        self._lease = lease
        self._deadline_seconds = deadline_seconds
        self._limiter = ConcurrencyLimiter()
        self._in_flight: dict[asyncio.Task[None], str] = {}  # the webhook's id by the task
        self._outcomes: list[Outcome] = []
        self._has_outcomes = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish and record the deliveries in flight."""
        with ThreadPoolExecutor(1, thread_name_prefix="queue") as thread:
            async with Sender(self._policy, tls=self._tls, deadline_seconds=self._deadline_seconds) as sender:
                stopping = asyncio.create_task(stop.wait())
                while not stop.is_set():
                    for job in await self._round(thread):
                        self._start(sender, job)
                    await self._wait(stopping)
                if self._in_flight:
                    await asyncio.wait(self._in_flight)
            await self._round(thread, is_claiming=False)

    async def _round(self, thread: ThreadPoolExecutor, *, is_claiming: bool = True) -> Sequence[Job]:
        """Record and claim. Outcomes that cannot be recorded now are kept for a later round."""
        outcomes, self._outcomes = self._outcomes, []
        in_flight = Counter(self._in_flight.values()) if is_claiming else None
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, self._work, outcomes, in_flight)
        except DatabaseUnavailableError as error:
            LOG.warning("the database is unavailable, trying again in %.0f s: %s", PAUSE_SECONDS, error)
            self._outcomes = outcomes + self._outcomes
        except Exception:
            LOG.exception("no deliveries could be claimed, trying again in %.0f s", PAUSE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
        return []

    def _work(self, outcomes: Sequence[Outcome], in_flight: Counter[str] | None) -> Sequence[Job]:
        """Record and claim in one transaction. If that fails, record one by one: one outcome must not affect others."""
        try:
            return self._record_and_claim(outcomes, in_flight)
        except DatabaseUnavailableError:
            raise
        except Exception:
            if not outcomes:
                raise
            LOG.warning("%d outcomes could not be recorded together, recording one by one", len(outcomes))
        for outcome in outcomes:
            self._record_alone(outcome)
        return []

    def _record_and_claim(self, outcomes: Sequence[Outcome], in_flight: Counter[str] | None) -> Sequence[Job]:
        counts = {} if in_flight is None else self._allowed(in_flight)
        if not outcomes and not counts:
            return []

        def attempt() -> Sequence[Job]:
            with self._database.transaction(write=True) as session:
                at = clock.time_of(session)
                queue.record(session, outcomes, at, self._schedule)
                jobs = queue.claim(session, counts, at, self._lease)
                queue.count_attempts(session, outcomes)
                return jobs

        return retrying(attempt)

    def _record_alone(self, outcome: Outcome) -> None:
        """Record one outcome, without the response if the database refuses it, so that the delivery ends."""
        for variant in (outcome, outcome.without_response()):
            try:
                self._record_and_claim([variant], None)
            except DatabaseUnavailableError:
                raise
            except Exception:
                LOG.exception("the outcome of delivery %s could not be recorded", outcome.job.id)
            else:
                return

    def _allowed(self, in_flight: Counter[str]) -> dict[str, int]:
        with self._database.transaction() as session:
            return self._limiter.allow(queue.due_webhook_ids(session, clock.current_time(session)), in_flight)

    def _start(self, sender: Sender, job: Job) -> None:
        task = asyncio.create_task(self._deliver(sender, job))
        self._in_flight[task] = job.webhook_id
        task.add_done_callback(self._in_flight.pop)

    async def _deliver(self, sender: Sender, job: Job) -> None:
        """Send one delivery and keep the outcome. An internal error is also an outcome, so that the delivery ends."""
        at = now()
        try:
            result = await _send(sender, job, at)
        except Exception:
            LOG.exception("delivery %s could not be sent", job.id)
            result = Result(error=NOT_SENT)
        self._limiter.record(job.webhook_id, success=result.is_success)
        self._outcomes.append(Outcome(job=job, result=result, attempted_at=at))
        self._has_outcomes.set()
        LOG.info(
            "delivery %s of event %s to webhook %s: attempt %d, %s in %d ms (request %s)",
            *(job.id, job.event_id, job.webhook_id, job.attempt, _summary(result)),
            *(result.duration_ms, job.request_id),
        )

    async def _wait(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for an outcome, and briefly for others, but for at most POLL_SECONDS."""
        waiting = asyncio.create_task(self._has_outcomes.wait())
        await asyncio.wait({waiting, stopping}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._has_outcomes.is_set():
            await asyncio.sleep(BATCH_SECONDS)
        self._has_outcomes.clear()


async def _send(sender: Sender, job: Job, at: datetime) -> Result:
    body = job.payload.encode()
    headers = signing.headers(
        message_id=job.event_id,
        event=job.event,
        timestamp=int(at.timestamp()),
        body=body,
        secrets=webhook_secrets.valid(job, at),
    )
    if job.request_id:
        headers["X-Request-Id"] = job.request_id
    return await sender.post(job.url, headers, body)


def _summary(result: Result) -> str:
    """Return the log text for an attempt: the status, the error, and the cause if it differs from the error."""
    parts = [result.status, result.error, None if result.cause == result.error else result.cause]
    return ": ".join(str(part).rstrip(".") for part in parts if part is not None)
