"""The story of README.md, run as a reader runs it: from a new company to the first order and the first webhook."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import waiting
from tests.support.servers import ROOT, Server
from tests.support.shell import Shell, shell

README = ROOT / "README.md"
HEADING = "## From a new company to its first order and webhook"
ADDRESS = "http://127.0.0.1:8000"  # of the server in the README
BLOCK = re.compile(r"^```sh\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


class TerminalStep(NamedTuple):
    """Commands, and what they printed."""

    commands: str
    output: str


def blocks() -> list[str]:
    """Return the blocks of commands of the story."""
    story = README.read_text().partition(HEADING)[2].partition("\n## ")[0]
    return BLOCK.findall(story)


def settings() -> dict[str, str]:
    """Return the settings that the story adds to .env, as options of `Server`."""
    return {name.lower(): value for name, value in re.findall(r"DISTRIBU_(\w+)=(\S+)", "\n".join(blocks()))}


def run(server: Server, directory: Path) -> Iterator[TerminalStep]:
    """Run the story, and yield its steps. The listener runs in a separate terminal, and is the last step."""
    *before, listen, order = blocks()
    environment = server.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with shell(directory, environment) as terminal:
        yield from (_step(terminal, server, block) for block in before)
        command = listen.removeprefix(".venv/bin/").split()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with waiting.process(command, cwd=directory, env=environment, **pipes) as listener:
            assert listener.stdout is not None
            lines = map(bytes.decode, listener.stdout)
            printed = _until(lines, "Ready")
            yield _step(terminal, server, order)
            printed += _until(lines, "order.created")
            assert waiting.end(listener) == 0
        yield TerminalStep(listen, printed)


def _step(terminal: Shell, server: Server, block: str) -> TerminalStep:
    return TerminalStep(block, terminal.run(block.replace(ADDRESS, server.url)))


def _until(lines: Iterator[str], word: str) -> str:
    """Return the lines up to the first one with a word."""
    printed = ""
    for line in lines:
        printed += line
        if word in line:
            return printed
    raise AssertionError(printed)
