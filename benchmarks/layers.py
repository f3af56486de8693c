"""Where the CPU time of a request goes, layer by layer: py-spy samples the running servers during a scenario.

A sample belongs to the innermost frame that is in a layer, and counts only if its thread has the interpreter's lock.
The rest of the CPU time is work without the lock: SQLite, the network and the kernel. If other programs delay a thread
that has the lock, the samples count for more than its CPU time: they are then only shares of it, without a rest.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import compare, measure, wrk
from benchmarks.apis import Api
from benchmarks.compare import Load

RATE = 200  # samples per second
LEAD_SECONDS, TAIL_SECONDS = 1, 2  # of load before and after the samples, which py-spy needs to start and to stop
WITHOUT_LOCK = "SQLite, network, kernel"
OTHER = "other"
LAYERS = {  # a part of a frame: its layer. The first part that a frame contains counts.
    "do_execute": "database driver",
    "fetchall": "database driver",
    "app/driver.py": "database driver",
    "sqlalchemy/": "SQLAlchemy, Django ORM",
    "django/db/": "SQLAlchemy, Django ORM",
    "app/http/": "the edge",
    "app/queries/": "SQLAlchemy, Django ORM",
    "app/db": "transactions",
    "app/sqlite": "transactions",
    "app/commit_group": "transactions",
    "app/schemas/": "rendering",
    "marshmallow/": "rendering",
    "pydantic/": "rendering",
    "rest_framework/serializers": "rendering",
    "rest_framework/renderers": "rendering",
    "rest_framework/fields": "rendering",
    "limits/": "rate limit",
    "flask/": "framework",
    "werkzeug/": "framework",
    "connexion/": "framework",
    "starlette/": "framework",
    "fastapi/": "framework",
    "django/": "framework",
    "rest_framework/": "framework",
    "anyio/": "event loop, threads",
    "asyncio/": "event loop, threads",
    "concurrent/": "event loop, threads",
    "threading.py": "event loop, threads",
    "uvicorn/": "HTTP server",
    "gunicorn/": "HTTP server",
    "app/": "handlers, services",
    "handlers/": "handlers, services",
    "models/": "handlers, services",
    "app.py": "handlers, services",
    "shop/": "handlers, services",
}
ORDER = [*dict.fromkeys(LAYERS.values()), OTHER, WITHOUT_LOCK]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The CPU microseconds of a request by layer."""

    server: str
    scenario: str
    layers: Mapping[str, float]


def require() -> None:
    """Raise click.ClickException unless py-spy is installed."""
    if not _program().exists():
        raise click.ClickException("py-spy is not installed. Install it: make .venv/tested")


def profile(server: Api, scenario: str, requests: Path, load: Load, directory: Path) -> Profile:
    """Sample a server on this machine during a scenario. Raises RuntimeError if py-spy may not read its memory."""
    assert server.pid is not None  # the caller leaves out servers on other machines
    output = directory / "samples"
    seconds = round(load.seconds)
    before = measure.cpu_clocks(server.pid)
    total = seconds + LEAD_SECONDS + TAIL_SECONDS
    running = wrk.start(server.url, requests, server.key, connections=load.connections, seconds=total)
    _sample(server.pid, seconds, output)
    done = wrk.finish(running)
    compare.check(server.name, done)
    cpu_us = measure.cpu_ms(before, measure.cpu_clocks(server.pid)) * 1000 / done.requests
    counts = count(output.read_text().splitlines())
    sample_us = min(1_000_000 / RATE / (done.rate * seconds), cpu_us / max(counts.total(), 1))
    found = {layer: number * sample_us for layer, number in counts.items()}
    found[WITHOUT_LOCK] = cpu_us - sum(found.values())
    return Profile(server=server.name, scenario=scenario, layers={name: found.get(name, 0.0) for name in ORDER})


def _sample(pid: int, seconds: int, output: Path) -> None:
    options = ["--gil", "--subprocesses", "--nonblocking", "--rate", str(RATE), "--duration", str(seconds)]
    command = [str(_program()), "record", *options, "--format", "raw", "--output", str(output), "--pid", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"py-spy cannot read process {pid}. It needs root or CAP_SYS_PTRACE: {done.stderr[-300:]}")


def count(stacks: Sequence[str]) -> Counter[str]:
    """Return the samples of each layer. A line has a stack, outermost frame first, and the number of its samples."""
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        counts[_layer(stack.split(";"))] += int(count)
    return counts


def _layer(frames: Sequence[str]) -> str:
    found = (_layer_of_frame(frame) for frame in reversed(frames))
    return next((layer for layer in found if layer), OTHER)


def _layer_of_frame(frame: str) -> str | None:
    return next((layer for part, layer in LAYERS.items() if part in frame), None)


def _program() -> Path:
    return Path(sys.executable).with_name("py-spy")
