"""Barcodes: the digits of a GTIN, as GS1 defines them (General Specifications, section 7.9).

A GTIN has 8, 12, 13 or 14 digits. The last one is a check digit, which finds most typing errors.
"""

import re

DIGITS = re.compile(r"[0-9]{8}|[0-9]{12,14}", re.ASCII)


def stored(text: str) -> str:
    """Return a barcode as it is stored and looked up."""
    return text.strip()


def violation(text: str) -> str | None:
    """Return the rule that a barcode violates, to follow its name in a message, or None if it is valid.

    Surrounding spaces are ignored.
    """
    barcode = stored(text)
    if not DIGITS.fullmatch(barcode):
        return "must have 8, 12, 13 or 14 digits"
    expected = check_digit(barcode[:-1])
    if barcode[-1] != expected:
        return f"must end with the check digit {expected}: {barcode[:-1]}{expected}"
    return None


def check_digit(digits: str) -> str:
    """Return the check digit that follows `digits`: from the right, they count three times and once in turn."""
    total = sum(int(digit) * (1 if number % 2 else 3) for number, digit in enumerate(reversed(digits)))
    return str(-total % 10)
