"""What the disk of the database takes for one `fdatasync`: no commit can be durable sooner."""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BLOCK = b"\x5a" * 8_192  # two pages of SQLite, about what a small transaction appends to the write-ahead log
BLOCKS = 512  # the file is written before: an SQLite log is overwritten from its start, too


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Median and 99th percentile of `fdatasync` after writing one block, in milliseconds."""

    median_ms: float
    p99_ms: float
    samples: int

    @property
    def flushes_per_second(self) -> float:
        """Return how many flushes the disk makes one after the other."""
        return 1000 / self.median_ms


def sample(directory: Path, count: int) -> list[float]:
    """Return the milliseconds of `count` calls, one after the other, on a file of this directory."""
    file = directory / "fdatasync"
    file.write_bytes(BLOCK * BLOCKS)
    opened = os.open(file, os.O_WRONLY)
    os.fsync(opened)
    times = []
    for number in range(count):
        os.pwrite(opened, BLOCK, number % BLOCKS * len(BLOCK))
        start = time.perf_counter()
        os.fdatasync(opened)
        times.append((time.perf_counter() - start) * 1000)
    os.close(opened)
    file.unlink()
    return times


def summary(times: Sequence[float]) -> Disk:
    """Return the median and the 99th percentile."""
    return Disk(median_ms=statistics.median(times), p99_ms=statistics.quantiles(times, n=100)[98], samples=len(times))
