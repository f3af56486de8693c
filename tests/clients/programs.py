"""Programs that use generated clients: what they are made of, and what they print."""

import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.servers import ROOT

SETTINGS = ROOT / "openapi/generators"  # a directory for each client, with its settings and a program that uses it
READERS = ROOT / "tests/clients/readers"  # the same, with a program that reads every list of values
BUILD_SECONDS = 600.0  # a slow machine does not reach it
RUN_SECONDS = 120.0

Command = Sequence[str | Path]


class DemoShop(NamedTuple):
    """A server with a fresh demo company, and an API key of it. `url` is what programs connect to."""

    url: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of programs."""
        return {"DISTRIBU_URL": self.url, "DISTRIBU_API_KEY": self.key}


class Program(NamedTuple):
    """A program with its generated client, ready to run. `operations` are the functions of the client.

    `reader` is a second program with the same client.
    """

    command: Command
    directory: Path
    operations: set[str]
    reader: Command = ()

    def run(self, shop: DemoShop) -> dict[str, list[str]]:
        """Run the program; return what it prints as `name: value`, by name. Raises AssertionError if it fails."""
        printed = defaultdict[str, list[str]](list)
        for line in run(self.command, self.directory, RUN_SECONDS, shop.environment).splitlines():
            name, value = line.split(": ", 1)
            printed[name].append(value)
        return dict(printed)

    def read(self, shop: DemoShop) -> None:
        """Run the reader. Raises AssertionError if it fails."""
        run(self.reader, self.directory, RUN_SECONDS, shop.environment)


def run(command: Command, directory: Path, seconds: float = BUILD_SECONDS, environment: Mapping[str, str] = {}) -> str:
    """Run a command in a directory; return its output. Raises AssertionError with all output if it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout}"
    return done.stdout


def normalized(name: str) -> str:
    """Return the name of an operation without the capitals and underscores by which languages differ."""
    return name.replace("_", "").lower()
