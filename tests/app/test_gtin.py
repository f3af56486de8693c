"""Check digits of barcodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import gtin

LENGTHS = (8, 12, 13, 14)


@pytest.mark.parametrize(
    "barcode", ["96385074", "12345670", "036000291452", "5012345678900", "4006381333931", "10012345678902"]
)
def test_a_published_example_is_valid(barcode: str) -> None:
    assert gtin.violation(f" {barcode}\t") is None
    assert gtin.stored(f" {barcode}\t") == barcode


@given(st.sampled_from(LENGTHS).flatmap(lambda length: st.from_regex(f"[0-9]{{{length - 1}}}", fullmatch=True)))
def test_one_check_digit_is_valid_and_a_changed_digit_is_found(digits: str) -> None:
    barcode = digits + gtin.check_digit(digits)

    assert [digit for digit in "0123456789" if gtin.violation(digits + digit) is None] == [barcode[-1]]
    for position, digit in enumerate(digits):
        changed = barcode[:position] + str((int(digit) + 1) % 10) + barcode[position + 1 :]
        assert str(gtin.violation(changed)).startswith("must end with the check digit ")


@pytest.mark.parametrize("length", [0, 1, 7, 9, 10, 11, 15, 20])
def test_other_lengths_are_invalid(length: int) -> None:
    assert gtin.violation("0" * length) == "must have 8, 12, 13 or 14 digits"


def test_leading_zeros_do_not_change_the_check_digit() -> None:
    assert gtin.check_digit("3600029145") == gtin.check_digit("0003600029145") == "2"
