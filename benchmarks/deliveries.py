"""Webhook deliveries: one worker sends a backlog to a fast receiver, at a constant rate and with constant memory."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from rich import box
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.orm import Session

from app.context import now
from app.schemas.base import timestamp
from app.services import webhook_secrets, webhooks
from app.services.deliveries import EVENTS, TABLE
from benchmarks import measure, stores
from benchmarks.report import Workload
from benchmarks.stores import Deployment
from models import new_id
from tests.support.servers import ROOT

BACKLOG = 100_000
STEPS = 10
BATCH = 5_000
MIN_RATE = 500.0  # deliveries per second
MIN_RATE_RATIO = 0.75  # the slowest step, divided by the median one
MAX_GROWTH = 1.25  # resident memory at the end, divided by that after the first step
POLL_SECONDS = 0.1
SELECT_PENDING_COUNT = sa.select(sa.func.count()).select_from(TABLE).where(TABLE.c.due_at.is_not(None))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of the backlog: its rate, its cost, and the worker's memory at its end."""

    delivered: int
    rate: float
    cpu_ms: float
    resident_mib: float


@dataclass(frozen=True, kw_only=True)
class DeliveriesResult:
    """The result on one database."""

    title: str
    steps: Sequence[Step]

    @property
    def rate(self) -> float:
        """Return the deliveries per second over the whole backlog."""
        return sum(step.delivered for step in self.steps) / sum(step.delivered / step.rate for step in self.steps)

    @property
    def failures(self) -> list[str]:
        """Return the limits that were exceeded."""
        rates = sorted(step.rate for step in self.steps)
        growth = self.steps[-1].resident_mib / self.steps[0].resident_mib
        limits = {
            f"{self.rate:.0f} deliveries per second, the minimum is {MIN_RATE:.0f}": self.rate < MIN_RATE,
            f"the rate fell to {rates[0]:.0f} per second": rates[0] < MIN_RATE_RATIO * rates[len(rates) // 2],
            f"memory grew by a factor of {growth:.2f}": growth > MAX_GROWTH,
        }
        return [message for message, is_exceeded in limits.items() if is_exceeded]

    def table(self) -> Table:
        """Return the steps as a table for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("delivered", "per second", "worker CPU ms each", "worker MiB"):
            table.add_column(heading, justify="right")
        for step in self.steps:
            cells = (f"{step.delivered:,}", f"{step.rate:.0f}", f"{step.cpu_ms:.2f}", f"{step.resident_mib:.0f}")
            table.add_row(*cells)
        return table


def run(deployment: Deployment, workload: Workload, progress: Progress) -> DeliveriesResult:
    """Queue a backlog for one webhook, start a worker and measure it."""
    total = min(BACKLOG, workload.rows)
    with _receiver() as port:
        task = progress.add_task(f"{deployment.name}: queueing", total=total)
        for _ in range(0, total, BATCH):
            progress.advance(task, _queue(deployment, port, BATCH))
        stores.settle(deployment.database)
        with worker(deployment) as process:
            steps = list(_watch(deployment, process, progress, total))
    return DeliveriesResult(title=f"{deployment.name}: one worker, {total:,} deliveries to one receiver", steps=steps)


def _queue(deployment: Deployment, port: int, count: int) -> int:
    at = now()
    with deployment.database.transaction(write=True) as session:
        webhook = session.execute(sa.select(webhooks.TABLE.c.id)).scalar_one_or_none()
        webhook = webhook or _webhook(session, deployment, port)
        ids = [new_id(at) for _ in range(count)]
        common = {"company_id": deployment.tenant.company_id, "created_at": at}
        event_type = "customer.created"
        customer = '{"id":"cmdw8k1ze0002qj7h6r4t9v3b","email":"orders@millstreetbakery.test","name":"Mill Street"}'
        data = f'"timestamp":"{timestamp(at)}","data":{customer}'
        events = [
            {
                **common,
                "id": event_id,
                "type": event_type,
                "entity_id": event_id,
                "sequence": 1,
                "payload": f'{{"event":"{event_type}",{data},"id":"{event_id}","sequence":1}}',
                "request_id": "benchmark",
            }
            for event_id in ids
        ]
        session.connection().execute(EVENTS.insert(), events)
        pending = {"webhook_id": webhook, "event": event_type, "attempt": 1, "due_at": at, "next_attempt_at": at}
        rows = [{**common, **pending, "id": new_id(at), "event_id": event_id} for event_id in ids]
        session.connection().execute(TABLE.insert(), rows)
    return count


def _webhook(session: Session, deployment: Deployment, port: int) -> str:
    row = {
        "id": new_id(now()),
        "company_id": deployment.tenant.company_id,
        "url": f"http://127.0.0.1:{port}/",
        "events": ["customer.created"],
        "is_active": True,
        "secret": webhook_secrets.generate(),
        "created_at": now(),
        "updated_at": now(),
    }
    session.connection().execute(webhooks.TABLE.insert(), row)
    return str(row["id"])


def _watch(deployment: Deployment, process: subprocess.Popen[bytes], progress: Progress, total: int) -> Iterator[Step]:
    worker = process.pid
    task = progress.add_task(f"{deployment.name}: delivering", total=total)
    left, start, clocks = total, time.monotonic(), measure.cpu_clocks(worker)
    while left:
        time.sleep(POLL_SECONDS)
        if process.poll() is not None:
            raise RuntimeError(f"The worker stopped with exit code {process.returncode}.")
        with deployment.database.transaction() as session:
            pending = session.execute(SELECT_PENDING_COUNT).scalar_one()
        progress.update(task, completed=total - pending)
        if left - pending >= total // STEPS or not pending:
            end, after = time.monotonic(), measure.cpu_clocks(worker)
            yield Step(
                delivered=left - pending,
                rate=(left - pending) / (end - start),
                cpu_ms=measure.cpu_ms(clocks, after) / (left - pending),
                resident_mib=measure.resident_mib(worker),
            )
            left, start, clocks = pending, end, after


@contextmanager
def worker(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker during the block."""
    settings = {
        "DATABASE_URL": stores.setting(deployment.database.url),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_ALLOWED_PORTS": "1-65535",
        "LOG_LEVEL": "WARNING",
    }
    environment = os.environ | {f"DISTRIBU_{name}": value for name, value in settings.items()}
    with _process("app.cli", "worker", environment=environment) as process:
        yield process


@contextmanager
def _receiver() -> Iterator[int]:
    with _process("benchmarks.receiver", environment=dict(os.environ)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def _process(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()
