"""A shell that stays open, as in a terminal: a later command has the variables of an earlier one."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import waiting

DONE = "__done__"


class Shell:
    """`sh`, which ends at the first command that fails."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, commands: str) -> str:
        """Run commands, and return what they print. Raises AssertionError if one of them fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{commands}\necho; echo {DONE}\n".encode())
        self._process.stdin.flush()
        printed = ""
        for line in map(bytes.decode, self._process.stdout):
            if line.strip() == DONE:
                return printed.removesuffix("\n")
            printed += line
        message = f"A command failed:\n{commands}\n{printed}"
        raise AssertionError(message)


@contextlib.contextmanager
def shell(directory: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Run a shell in a directory during the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with waiting.process(["sh", "-e"], cwd=directory, env=environment, **pipes) as process:
        yield Shell(process)
