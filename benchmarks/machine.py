"""The machine of a measurement, and the core of each process: the server on the first, the load on the second."""

import os
import platform
import sqlite3
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import measure
from tests.support.servers import ROOT

CORES = sorted(os.sched_getaffinity(0))  # those that this process may use
SERVER, LOAD = 0, 1  # positions in CORES
BUSY_LOAD = 0.5  # load average at the start, above which times are only relative


@dataclass(frozen=True, kw_only=True)
class Machine:
    """When, where and with which versions something was measured. `load` is the load average at the start."""

    date: str
    commit: str
    processor: str
    cores: int
    python: str
    sqlite: str
    load: float
    is_pinned: bool

    @property
    def is_busy(self) -> bool:
        """Return True if other programs were running at the start."""
        return self.load > BUSY_LOAD


def describe() -> Machine:
    """Return what this machine is, and what is checked out."""
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        commit=_commit(),
        processor=_processor(),
        cores=len(CORES),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load=round(os.getloadavg()[0], 2),
        is_pinned=is_pinnable(),
    )


def is_pinnable() -> bool:
    """Return True if there is a core for the server and another one for the load."""
    return len(CORES) > LOAD


def pin_load() -> None:
    """Move this process, and with it what it starts from now on, to the core of the load."""
    if is_pinnable():
        os.sched_setaffinity(0, {CORES[LOAD]})


def pin_server(pid: int) -> None:
    """Move a process, its descendants and all their threads to the core of the server."""
    if is_pinnable():
        for process in measure.tree(pid):
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {CORES[SERVER]})


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
