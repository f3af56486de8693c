"""CSV that is safe to open in a spreadsheet program.

A customer chooses a name, and someone else opens the report: a cell such as `=HYPERLINK(...)` must stay text. The rules
are those of OWASP ("CSV Injection"): an apostrophe before text that starts a formula, and quotation marks around text.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.product_import import csv_rows
from app.product_import.formulas import FORMULA

# Some programs drop spaces and quotation marks before a formula. A program that expects another delimiter starts a new
# cell within the text, even within quotation marks.
UNSAFE = re.compile(f'^(?=[\\s"]*[\\t\\r\\n{FORMULA}])|(?<=[;|\\t\\r\\n])(?=[\\s"]*[{FORMULA}])')
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal obeys some of them


def render(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Return `columns` of the rows as CSV. Numbers are not quoted. Text is quoted, and is never a formula."""
    return csv_rows.to_csv([columns, *([_cell(row[name]) for name in columns] for row in rows)])


def _cell(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return Decimal(f"{value:.2f}")  # with cents, and never with an exponent
        case str():
            return UNSAFE.sub("'", CONTROL.sub("\N{REPLACEMENT CHARACTER}", value))
    return value
