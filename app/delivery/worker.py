"""The worker: takes what is due, sends it, notes how it went. Any number of them may run.

Database work happens in rounds, in one thread: a round records what came back since the last one and takes what is
due, in one transaction. No transaction is open while anything is sent.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from app.config import Settings
from app.context import now
from app.db import Database, retrying
from app.delivery import queue, signing
from app.delivery.concurrency import Pace
from app.delivery.queue import Job, Outcome
from app.delivery.sender import DEADLINE_SECONDS, Result, Sender, trust
from app.errors import DatabaseUnavailableError
from app.services import webhook_secrets

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.2
GATHER_SECONDS = 0.01  # what comes back within this time is recorded together
LEASE = timedelta(seconds=30)  # three times what an attempt may take
PAUSE_SECONDS = 2.0  # after a round that failed
NOT_SENT = "The delivery could not be sent. The operator of this server finds the reason in the log."


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
        """Take what to work on; nothing happens before `run`."""
        self._database = database
        self._waits = settings.webhook_retry_schedule
        self._rules = settings.webhook_rules
        self._tls = trust(settings.webhook_ca_file)
        self._lease = lease
        self._deadline_seconds = deadline_seconds
        self._pace = Pace()
        self._under_way: dict[asyncio.Task[None], str] = {}  # to the webhook's id
        self._outcomes: list[Outcome] = []
        self._news = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what is under way then is finished and recorded."""
        with ThreadPoolExecutor(1, thread_name_prefix="queue") as thread:
            async with Sender(self._rules, tls=self._tls, deadline_seconds=self._deadline_seconds) as sender:
                stopping = asyncio.create_task(stop.wait())
                while not stop.is_set():
                    for job in await self._round(thread):
                        self._start(sender, job)
                    await self._rest(stopping)
                if self._under_way:
                    await asyncio.wait(self._under_way)
            await self._round(thread, takes=False)

    async def _round(self, thread: ThreadPoolExecutor, *, takes: bool = True) -> Sequence[Job]:
        """Record and take. While the database is unavailable nothing is lost: it is recorded in a later round."""
        outcomes, self._outcomes = self._outcomes, []
        under_way = Counter(self._under_way.values())
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(thread, self._work, outcomes, under_way if takes else None)
        except DatabaseUnavailableError as error:
            LOG.warning("the database is away, trying again in %.0f s: %s", PAUSE_SECONDS, error)
            self._outcomes = outcomes + self._outcomes
        except Exception:
            LOG.exception("no deliveries could be taken, trying again in %.0f s", PAUSE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
        return []

    def _work(self, outcomes: Sequence[Outcome], under_way: Counter[str] | None) -> Sequence[Job]:
        """Record and take in one transaction. When that fails, record one by one: one outcome never costs another."""
        try:
            return self._record_and_take(outcomes, under_way)
        except DatabaseUnavailableError:
            raise
        except Exception:
            if not outcomes:
                raise
            LOG.warning("%d outcomes could not be recorded together, recording one by one", len(outcomes))
        for outcome in outcomes:
            self._record_alone(outcome)
        return []

    def _record_and_take(self, outcomes: Sequence[Outcome], under_way: Counter[str] | None) -> Sequence[Job]:
        shares = {} if under_way is None else self._shares(under_way)
        if not outcomes and not shares:
            return []

        def attempt() -> Sequence[Job]:
            moment = now()
            with self._database.transaction(write=True) as session:
                queue.record(session, outcomes, moment, self._waits)
                jobs = queue.take(session, shares, moment, self._lease)
                queue.count(session, outcomes)
                return jobs

        return retrying(attempt)

    def _record_alone(self, outcome: Outcome) -> None:
        """Record one outcome; one that the database refuses without what the receiver sent, so that it ends."""
        for each in (outcome, outcome.without_answer()):
            try:
                self._record_and_take([each], None)
            except DatabaseUnavailableError:
                raise
            except Exception:
                LOG.exception("the outcome of delivery %s could not be recorded", outcome.job.id)
            else:
                return

    def _shares(self, under_way: Counter[str]) -> dict[str, int]:
        with self._database.transaction() as session:
            return self._pace.shares(queue.due_webhooks(session, now()), under_way)

    def _start(self, sender: Sender, job: Job) -> None:
        task = asyncio.create_task(self._deliver(sender, job))
        self._under_way[task] = job.webhook_id
        task.add_done_callback(self._under_way.pop)

    async def _deliver(self, sender: Sender, job: Job) -> None:
        """Send one delivery and keep how it went; a fault of ours is an outcome too, so that the delivery ends."""
        moment = now()
        try:
            result = await _send(sender, job, moment)
        except Exception:
            LOG.exception("delivery %s could not be sent", job.id)
            result = Result(error=NOT_SENT)
        self._pace.note(job.webhook_id, success=result.succeeded)
        self._outcomes.append(Outcome(job=job, result=result, attempted_at=moment))
        self._news.set()
        LOG.info(
            "delivery %s of event %s to webhook %s: attempt %d, %s in %d ms (request %s)",
            *(job.id, job.event_id, job.webhook_id, job.attempt, _said(result)),
            *(result.duration_ms, job.request_id),
        )

    async def _rest(self, stopping: asyncio.Task[bool]) -> None:
        """Wait for news and gather more of it, but not longer than POLL_SECONDS."""
        news = asyncio.create_task(self._news.wait())
        await asyncio.wait({news, stopping}, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        if self._news.is_set():
            await asyncio.sleep(GATHER_SECONDS)
        self._news.clear()


async def _send(sender: Sender, job: Job, moment: datetime) -> Result:
    body = job.payload.encode()
    headers = signing.headers(
        message_id=job.event_id,
        event=job.event,
        timestamp=int(moment.timestamp()),
        body=body,
        secrets=webhook_secrets.signing(job, moment),
    )
    return await sender.post(job.url, headers | _traced(job), body)


def _said(result: Result) -> str:
    """Return what the log says of an attempt: the status, the error, and its cause where that is something else."""
    parts = [result.status, result.error, None if result.cause == result.error else result.cause]
    return ": ".join(str(each).rstrip(".") for each in parts if each is not None)


def _traced(job: Job) -> dict[str, str]:
    return {"X-Request-Id": job.request_id} if job.request_id else {}
