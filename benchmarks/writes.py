"""Orders in an SQLite file with its default setting, which waits for the disk: alone, and while products are read."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import compare, disk, wrk
from benchmarks.apis import Api
from benchmarks.compare import Load
from benchmarks.disk import Disk
from benchmarks.report import Check
from benchmarks.wrk import Run

READERS = 4  # connections that read one product after the other
SAMPLES = 250  # of the disk, before each round
MIN_FLUSH_FACTOR = 5.0  # orders per second, divided by the flushes that the disk makes one after the other
MAX_DISK_FACTOR = 4.0  # p99 of an order, divided by that of the disk
MAX_ORDER_MS = 100.0  # p99 of an order while products are read
MAX_READ_FACTOR = 1.5  # p99 of a read while orders are placed, divided by that alone


@dataclass(kw_only=True)
class Rounds:
    """The runs of all rounds, and the samples of the disk."""

    disk_ms: list[float] = field(default_factory=list)
    orders: list[Run] = field(default_factory=list)
    reads: list[Run] = field(default_factory=list)
    orders_during_reads: list[Run] = field(default_factory=list)
    reads_during_orders: list[Run] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Writes:
    """Medians over the rounds. Times are milliseconds."""

    disk: Disk
    connections: int
    orders_per_second: float
    orders_p50_ms: float
    orders_p99_ms: float
    orders_p99_during_reads_ms: float
    reads_p99_ms: float
    reads_p99_during_orders_ms: float

    def checks(self) -> Iterator[Check]:
        """Yield the limits of these figures."""
        yield Check(
            name=f"orders per flush that the disk makes one after the other, {self.connections} connections",
            value=self.orders_per_second / self.disk.flushes_per_second,
            allowed=MIN_FLUSH_FACTOR,
            unit="",
            is_minimum=True,
        )
        yield Check(
            name="p99 of POST /orders", value=self.orders_p99_ms, allowed=MAX_DISK_FACTOR * self.disk.p99_ms, unit="ms"
        )
        yield Check(
            name="p99 of POST /orders while products are read",
            value=self.orders_p99_during_reads_ms,
            allowed=MAX_ORDER_MS,
            unit="ms",
        )
        yield Check(
            name="p99 of GET /products/{id} while orders are placed",
            value=self.reads_p99_during_orders_ms,
            allowed=MAX_READ_FACTOR * self.reads_p99_ms,
            unit="ms",
        )


def measure(
    server: Api, files: Mapping[tuple[str, str], Path], load: Load, directory: Path, advance: Callable[[], None]
) -> Writes:
    """Measure orders alone, reads alone and both at the same time, in turn. Raises RuntimeError for refusals."""
    orders, reads = files[server.name, "create"], files[server.name, "get"]
    rounds = Rounds()
    compare.turn(server, orders, load.connections, compare.WARM_UP_SECONDS)
    for _ in range(load.rounds):
        rounds.disk_ms += disk.sample(directory, SAMPLES)
        rounds.orders.append(compare.turn(server, orders, load.connections, load.seconds).run)
        rounds.reads.append(compare.turn(server, reads, READERS, load.seconds).run)
        writing = wrk.start(server.url, orders, server.key, connections=load.connections, seconds=load.seconds)
        rounds.reads_during_orders.append(compare.turn(server, reads, READERS, load.seconds).run)
        rounds.orders_during_reads.append(wrk.finish(writing))
        compare.check(server.name, rounds.orders_during_reads[-1])
        advance()
    return _medians(rounds, load.connections)


def _medians(rounds: Rounds, connections: int) -> Writes:
    return Writes(
        disk=disk.summary(rounds.disk_ms),
        connections=connections,
        orders_per_second=statistics.median(run.rate for run in rounds.orders),
        orders_p50_ms=statistics.median(run.p50_ms for run in rounds.orders),
        orders_p99_ms=_p99(rounds.orders),
        orders_p99_during_reads_ms=_p99(rounds.orders_during_reads),
        reads_p99_ms=_p99(rounds.reads),
        reads_p99_during_orders_ms=_p99(rounds.reads_during_orders),
    )


def _p99(runs: list[Run]) -> float:
    return statistics.median(run.p99_ms for run in runs)
