"""A transaction that another process holds open: it has written, and commits when the test says so."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

from tests.support import waiting
from tests.support.servers import ROOT

PROGRAM = """
import sys
import sqlalchemy as sa
from app import clock
from models.base import Instant
from tests.support.servers import open_database
url, statement = sys.argv[1:]
database = open_database(url)
with database.transaction(write=True) as session:
    at = clock.time_of(session)
    session.execute(sa.text(statement).bindparams(sa.bindparam("now", at, Instant())))
    print(at.isoformat(), flush=True)
    sys.stdin.readline()
database.dispose()
"""


class HeldWrite:
    """The transaction, and the time that it took."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self.at = datetime.fromisoformat(process.stdout.readline().decode().strip())

    def commit(self) -> None:
        """Let the process commit, and wait until it has ended."""
        self._process.communicate(b"\n", timeout=waiting.SECONDS)
        assert self._process.returncode == 0

    def kill(self) -> None:
        """Kill the process before it commits."""
        self._process.kill()
        self._process.wait(waiting.SECONDS)


@contextlib.contextmanager
def held_write(url: str, statement: str = "SELECT :now") -> Iterator[HeldWrite]:
    """Run a statement with the parameter `now` in another process, and keep its transaction open."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with waiting.process([sys.executable, "-c", PROGRAM, url, statement], cwd=ROOT, **pipes) as process:
        yield HeldWrite(process)
