"""The load generator: wrk, a separate program with one thread and any number of connections."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

SCRIPT = Path(__file__).with_suffix(".lua")
END_SECONDS = 30  # that wrk may take beyond the duration of a run


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of a scenario. `body` is JSON, or empty."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What wrk reports of one run. `refused` counts responses from 400 upwards, `failed` errors of connections."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    failed: int
    bytes: int

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.requests / self.seconds


def require() -> None:
    """Raise click.ClickException unless wrk is installed."""
    if shutil.which("wrk") is None:
        raise click.ClickException(
            "wrk is not installed. It sends the requests of this benchmark. Install it with your package manager, for "
            "example: apt-get install wrk"
        )


def write(file: Path, requests: Iterable[Request]) -> Path:
    """Write the requests of a run to a file and return it."""
    file.write_text("".join(f"{request.method}\t{request.path}\t{request.body}\n" for request in requests))
    return file


def start(url: str, requests: Path, key: str, *, connections: int, seconds: float) -> subprocess.Popen[bytes]:
    """Start a run. `finish` waits for it."""
    amounts = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={END_SECONDS}s"]
    command = ["wrk", *amounts, "-s", str(SCRIPT), url, "--", str(requests), key]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> Run:
    """Wait for a run and return its result. Raises RuntimeError if wrk fails."""
    output, _ = process.communicate()
    lines = [line for line in output.decode().splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        raise RuntimeError(f"wrk failed with exit code {process.returncode}: {output.decode(errors='replace')}")
    return Run(**json.loads(lines[-1]))


def run(url: str, requests: Path, key: str, *, connections: int, seconds: float) -> Run:
    """Send the requests of a file in turn for some seconds over some connections. Raises RuntimeError."""
    return finish(start(url, requests, key, connections=connections, seconds=seconds))
