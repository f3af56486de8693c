"""What the exports of products and of prices have in common: how they write a file."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from app.cli import progress
from app.cli.options import STANDARD_OUTPUT


def check_output(file: Path, *, as_json: bool) -> None:
    """Raise UsageError if standard output would have both the CSV and the result as JSON."""
    if as_json and file == STANDARD_OUTPUT:
        raise click.UsageError("--json needs --output FILE.csv, because the CSV is written to standard output.")


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file that is replaced at the end, or standard output. An OSError names it, not the temporary file."""
    try:
        with click.open_file(str(file), "wb", atomic=file != STANDARD_OUTPUT) as stream:
            yield stream
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def write(chunks: Iterable[tuple[int, str]], file: Path, *, expected: int) -> int:
    """Write the parts of a file, each with its number of rows, and return the number of all rows.

    An existing file is replaced when the new one is complete. `expected` is the number of rows for the progress bar.
    """
    exported, has_file = 0, file != STANDARD_OUTPUT
    with (
        _opened(file) as stream,
        progress.bars(hidden=not has_file and sys.stdout.isatty()) as bars,
    ):
        task = bars.add_task("Exporting", total=expected)
        for count, text in chunks:
            stream.write(text.encode())
            exported += count
            bars.advance(task, count)
    return exported
