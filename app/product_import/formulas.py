"""Cells that a spreadsheet program would take for formulas: an export marks them, and an import reads them back.

The mark is an apostrophe before the formula (OWASP, "CSV Injection"). A text that looks like a marked one is marked
too, so that `unescape(escape(text)) == text` for every text.
"""

import re

# The full-width forms of = + - @ start a formula in Japanese editions.
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# A program that expects another delimiter starts a new cell within the text, even within quotation marks.
CELL_START = r"(?:\A|(?<=[;|\t\n])|(?<=\r)(?!\n))"
# Some programs drop spaces and quotation marks before a formula.
FORMULA_FOLLOWS = rf"(?=['\s\"]*[{FORMULA}])"
UNMARKED = re.compile(CELL_START + FORMULA_FOLLOWS)
MARKED = re.compile(f"{CELL_START}'{FORMULA_FOLLOWS}")


def escape(text: str) -> str:
    """Return a text with an apostrophe before each formula."""
    return UNMARKED.sub("'", text)


def unescape(cell: str) -> str:
    """Return the text that `escape` has marked. A cell that it cannot have written stays: another program wrote it."""
    if "'" not in cell:
        return cell
    text = MARKED.sub("", cell)
    return text if escape(text) == cell else cell
