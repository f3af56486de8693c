"""Rows as CSV, as spreadsheet programs and imports read it: with commas, and text in quotation marks."""

import csv
import io
from collections.abc import Iterable

BYTE_ORDER_MARK = "\ufeff"  # at the start of a file: without it, Excel does not read the file as UTF-8


def to_csv(rows: Iterable[Iterable[object]]) -> str:
    """Return the lines of rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return text.getvalue()
