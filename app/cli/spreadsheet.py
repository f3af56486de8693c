"""CSV that a spreadsheet can open without running what other people wrote into it.

A customer chooses a name, and another person opens the report: a cell such as `=HYPERLINK(...)` must stay text. The
rules are those of OWASP ("CSV Injection"): an apostrophe before what starts a formula, every text in quotation marks.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

# The full-width forms of = + - @ start a formula in Japanese editions. Spaces and quotation marks before a formula are
# dropped by some programs.
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# A program that expects another delimiter than the comma starts a cell within a text, whatever the quotation marks say.
UNSAFE = re.compile(f'^(?=[\\s"]*[\\t\\r\\n{FORMULA}])|(?<=[;|\\t\\r\\n])(?=[\\s"]*[{FORMULA}])')
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal would obey some of them


def render(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return `columns` of the rows as CSV: numbers are bare, texts are quoted and never a formula."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return table.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return Decimal(f"{value:.2f}")  # with its cents, never with an exponent
        case str():
            return UNSAFE.sub("'", CONTROL.sub("\N{REPLACEMENT CHARACTER}", value))
    return value
