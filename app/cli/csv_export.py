"""What the exports of products and of prices have in common: how they write a file."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from app.cli import progress
from app.cli.options import STANDARD_OUTPUT


def check_output(file: Path, *, as_json: bool) -> None:
    """Raise UsageError if standard output would have both the CSV and the result as JSON."""
    if as_json and file == STANDARD_OUTPUT:
        raise click.UsageError("--json needs --output FILE.csv, because the CSV is written to standard output.")


def write(chunks: Iterable[tuple[int, str]], file: Path, *, expected: int) -> int:
    """Write the parts of a file, each with its number of rows, and return the number of all rows.

    An existing file is replaced when the new one is complete. `expected` is the number of rows for the progress bar.
    """
    exported, has_file = 0, file != STANDARD_OUTPUT
    with (
        click.open_file(str(file), "wb", atomic=has_file) as stream,
        progress.bars(hidden=not has_file and sys.stdout.isatty()) as bars,
    ):
        task = bars.add_task("Exporting", total=expected)
        for count, text in chunks:
            stream.write(text.encode())
            exported += count
            bars.advance(task, count)
    return exported
