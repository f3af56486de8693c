"""What the imports of products and of prices print, and how they read a file."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from app.cli import output
from app.product_import.importer import ImportResult
from app.product_import.product_csv import RowError
from app.schemas.base import Json

SHOWN_ERRORS = 50


@contextmanager
def seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the file, or a copy if it is a pipe: the file is read more than once."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def to_json(result: ImportResult, errors: Sequence[RowError] = ()) -> Json:
    """Return the result of an import as `--json` prints it."""
    return {**counts(result), "errors": [{"line": error.line, "error": error.error} for error in errors]}


def counts(result: ImportResult) -> Json:
    """Return the numbers of rows."""
    return {"created": result.created, "updated": result.updated, "unchanged": result.unchanged}


def show_errors(errors: Sequence[RowError], *, as_json: bool) -> None:
    """Print why nothing was imported."""
    if as_json:
        output.document(to_json(ImportResult(), errors))
    else:
        for error in errors[:SHOWN_ERRORS]:
            output.note(f"line {error.line}: {error.error}")
        if len(errors) > SHOWN_ERRORS:
            output.note(f"... and {len(errors) - SHOWN_ERRORS} more")
    output.note("Nothing was imported. Correct the errors and run the command again.")
