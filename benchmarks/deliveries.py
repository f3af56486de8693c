"""Webhooks: one worker drains a backlog to a fast receiver on this machine, at a constant rate and with flat memory."""

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
from benchmarks.stores import Site
from models import new_id
from tests.support.servers import ROOT

BACKLOG = 100_000
STEPS = 10
CHUNK = 5_000
LEAST_RATE = 500.0  # deliveries a second
CONSTANT = 0.75  # the slowest step reaches this share of the median one
GROWTH = 1.25  # resident memory at the end, through that after the first step
POLL_SECONDS = 0.1
WAITING = sa.select(sa.func.count()).select_from(TABLE).where(TABLE.c.due_at.is_not(None))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A part of the backlog: how fast it went, what it cost, and how much memory the worker had at its end."""

    delivered: int
    rate: float
    cpu_ms: float
    resident_mib: float


@dataclass(frozen=True, kw_only=True)
class Drain:
    """What was found out about one database."""

    title: str
    steps: Sequence[Step]

    @property
    def rate(self) -> float:
        """Return deliveries a second over the whole backlog."""
        return sum(each.delivered for each in self.steps) / sum(each.delivered / each.rate for each in self.steps)

    @property
    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        rates = sorted(each.rate for each in self.steps)
        growth = self.steps[-1].resident_mib / self.steps[0].resident_mib
        found = {
            f"{self.rate:.0f} deliveries a second, {LEAST_RATE:.0f} are wanted": self.rate < LEAST_RATE,
            f"the rate fell to {rates[0]:.0f} a second": rates[0] < CONSTANT * rates[len(rates) // 2],
            f"memory grew to {growth:.2f} times what it was": growth > GROWTH,
        }
        return [words for words, is_so in found.items() if is_so]

    def table(self) -> Table:
        """Return the steps for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in ("delivered", "a second", "worker CPU ms each", "worker MiB"):
            table.add_column(heading, justify="right")
        for each in self.steps:
            cells = (f"{each.delivered:,}", f"{each.rate:.0f}", f"{each.cpu_ms:.2f}", f"{each.resident_mib:.0f}")
            table.add_row(*cells)
        return table


def run(site: Site, workload: Workload, progress: Progress) -> Drain:
    """Queue a backlog for one webhook, start a worker and watch."""
    total = min(BACKLOG, workload.rows)
    with _receiver() as port:
        task = progress.add_task(f"{site.name}: queueing", total=total)
        for _ in range(0, total, CHUNK):
            progress.advance(task, _queue(site, port, CHUNK))
        stores.settle(site.database)
        with _worker(site) as worker:
            steps = list(_watch(site, worker, progress, total))
    return Drain(title=f"{site.name}: one worker, {total:,} deliveries to one receiver", steps=steps)


def _queue(site: Site, port: int, count: int) -> int:
    at = now()
    with site.database.transaction(write=True) as session:
        webhook = session.execute(sa.select(webhooks.TABLE.c.id)).scalar_one_or_none() or _webhook(session, site, port)
        ids = [new_id(at) for _ in range(count)]
        owner = {"company_id": site.tenant.company_id, "created_at": at}
        kind = "customer.created"
        data = '"data":{"id":"cmdw8k1ze0002qj7h6r4t9v3b","email":"orders@millstreetbakery.test","name":"Mill Street"}'
        events = [
            {
                **owner,
                "id": each,
                "type": kind,
                "entity_id": each,
                "sequence": 1,
                "payload": f'{{"event":"{kind}","timestamp":"{timestamp(at)}",{data},"id":"{each}","sequence":1}}',
                "request_id": "benchmark",
            }
            for each in ids
        ]
        session.connection().execute(EVENTS.insert(), events)
        waiting = {"webhook_id": webhook, "event": kind, "attempt": 1, "due_at": at, "next_attempt_at": at}
        rows = [{**owner, **waiting, "id": new_id(at), "event_id": each} for each in ids]
        session.connection().execute(TABLE.insert(), rows)
    return count


def _webhook(session: Session, site: Site, port: int) -> str:
    row = {
        "id": new_id(now()),
        "company_id": site.tenant.company_id,
        "url": f"http://127.0.0.1:{port}/",
        "events": ["customer.created"],
        "is_active": True,
        "secret": webhook_secrets.generate(),
        "created_at": now(),
        "updated_at": now(),
    }
    session.connection().execute(webhooks.TABLE.insert(), row)
    return str(row["id"])


def _watch(site: Site, process: subprocess.Popen[bytes], progress: Progress, total: int) -> Iterator[Step]:
    worker = process.pid
    task = progress.add_task(f"{site.name}: delivering", total=total)
    left, at, clocks = total, time.monotonic(), measure.cpu_clocks(worker)
    while left:
        time.sleep(POLL_SECONDS)
        if process.poll() is not None:
            raise RuntimeError(f"The worker ended with code {process.returncode}.")
        with site.database.transaction() as session:
            waiting = session.execute(WAITING).scalar_one()
        progress.update(task, completed=total - waiting)
        if left - waiting >= total // STEPS or not waiting:
            moment, after = time.monotonic(), measure.cpu_clocks(worker)
            yield Step(
                delivered=left - waiting,
                rate=(left - waiting) / (moment - at),
                cpu_ms=measure.cpu_ms(clocks, after) / (left - waiting),
                resident_mib=measure.resident_mib(worker),
            )
            left, at, clocks = waiting, moment, after


@contextmanager
def _worker(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "DATABASE_URL": stores.setting(site.database.url),
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
