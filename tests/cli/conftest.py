"""Run the real command in a separate process, on a fresh database."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import pytest
import sqlalchemy as sa

from app.cli import program, runtime
from app.db import Database
from models import Base
from tests.support import factories, waiting
from tests.support.factories import Tenant
from tests.support.servers import ROOT


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a command: its exit code and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """Return the one line on standard error that says why the command failed."""
        assert self.code in {1, 2}
        assert self.out == ""
        assert self.err.startswith("Error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("Error: ").rstrip("\n")


Command = Callable[..., Outcome]


def environment(url: str | None, **settings: str) -> dict[str, str]:
    """Return the environment variables of a command."""
    values = {f"DISTRIBU_{name.upper()}": value for name, value in settings.items()}
    database = {} if url is None else {"DISTRIBU_DATABASE_URL": url}
    return os.environ | {"PYTHONPATH": str(ROOT)} | database | values


def execute(directory: Path, url: str | None, *arguments: str, stdin: bytes = b"", **settings: str) -> Outcome:
    """Run `distribu` in `directory`. It never prints a traceback."""
    strictness = () if "serve" in arguments else ("-W", "error")  # the web framework causes warnings
    process = subprocess.run(
        [sys.executable, *strictness, "-m", "app.cli", *arguments],
        cwd=directory,
        env=environment(url, **settings),
        input=stdin,
        capture_output=True,
        timeout=waiting.SECONDS,
        check=False,
    )
    outcome = Outcome(code=process.returncode, out=process.stdout.decode(), err=process.stderr.decode())
    assert "Traceback" not in outcome.err
    return outcome


def fork(directory: Path, url: str, *arguments: str, stdin: bytes, **settings: str) -> Outcome:
    """Run `distribu` in a fork of this process: equal to `execute`, but faster, because all modules are imported."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as messages:
        given.write(stdin)
        given.seek(0)
        child = os.fork()
        if child == 0:
            _become_command(directory, environment(url, **settings), (given, result, messages), arguments)
        status = _status(child)
        out, err = (_content(file) for file in (result, messages))
    assert "Traceback" not in err
    return Outcome(code=os.waitstatus_to_exitcode(status), out=out, err=err)


def _status(child: int) -> int:
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:  # the test has timed out, so its command must end too
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _content(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def _become_command(
    directory: Path, variables: dict[str, str], files: Sequence[BinaryIO], arguments: Sequence[str]
) -> NoReturn:
    code = 70
    try:
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(variables)
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
        warnings.simplefilter("error")
        runtime.settings.cache_clear()
        code = program.run(arguments)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the child must never continue as the test process
        traceback.print_exc()
    finally:
        os._exit(code)


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""
    with database.transaction() as session:
        tables = Base.metadata.sorted_tables
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(table.c.id))]
            for table in tables
        }


def listed(distribu: Command, noun: str, slug: str, *options: str) -> list[dict[str, Any]]:
    """Return what `distribu NOUN list` prints as JSON for a company."""
    rows: list[dict[str, Any]] = distribu(noun, "list", "--company", slug, "--json", *options).json
    return rows


def entries(distribu: Command, slug: str) -> list[dict[str, Any]]:
    """Return the audit log of a company, newest first."""
    return listed(distribu, "audit", slug, "--limit", "0")


@pytest.fixture
def distribu(database_url: str, tmp_path: Path) -> Command:
    """Return a function that runs a command on a fresh, migrated, empty database."""

    def run(*arguments: str, stdin: bytes = b"", **settings: str) -> Outcome:
        if "serve" in arguments:
            return execute(tmp_path, database_url, *arguments, stdin=stdin, **settings)
        return fork(tmp_path, database_url, *arguments, stdin=stdin, **settings)

    return run


@pytest.fixture
def bare(tmp_path: Path) -> Command:
    """Return a function that runs a command without a database or a setting for one."""

    def run(*arguments: str, url: str | None = None, **settings: str) -> Outcome:
        return execute(tmp_path, url, *arguments, stdin=b"", **settings)

    return run


@pytest.fixture
def shop(fresh_database: Database) -> Tenant:
    """Return a company in the fresh database."""
    return factories.tenant(fresh_database)
