"""The responses that tests have received: of which operation, with which status, and with which error code.

Each process writes what it has received into a separate file. `make test` removes the files before, and compares them
with the document after: `tests/contract/produced.py`.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).resolve().parents[2] / "build/produced"


class Produced(NamedTuple):
    """A response. It has no code if it is not an error, or if it is one to a HEAD request."""

    operation: str
    status: str
    code: str = ""


class ResponseRecorder:
    """The responses that this process has received."""

    def __init__(self) -> None:
        self._known: set[Produced] = set()

    def add(self, operation: str, status: str, codes: Iterable[str]) -> None:
        """Record a response, once."""
        responses = {Produced(operation, status, code) for code in codes or [""]}
        new = responses - self._known
        self._known |= new
        if new:
            DIRECTORY.mkdir(parents=True, exist_ok=True)
            with (DIRECTORY / str(os.getpid())).open("a") as file:
                file.writelines(f"{' '.join(response)}\n" for response in sorted(new))


def read() -> Iterator[Produced]:
    """Yield what all processes have recorded."""
    for file in DIRECTORY.glob("*"):
        for line in file.read_text().splitlines():
            yield Produced(*line.split(" "))
