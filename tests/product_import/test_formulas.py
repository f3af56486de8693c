"""Texts that look like formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.product_import import formulas

NASTY = st.text(st.sampled_from("=+-@'\" ;|\t\r\n\uff1da,"), max_size=12)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+2", "'=1+2"),
        ("-5 °C", "'-5 °C"),
        ("'=1", "''=1"),
        ("' \"@a", "'' \"@a"),
        ("Contents:\n- flour", "Contents:\n'- flour"),
        ("Contents:\r\n- flour", "Contents:\r\n'- flour"),
        ("a;=1|+2", "a;'=1|'+2"),
        ("'t Hooft", "'t Hooft"),
        ("''", "''"),
        ("5 - 3 = 2", "5 - 3 = 2"),
    ],
)
def test_a_formula_is_marked_and_read_back(text: str, cell: str) -> None:
    assert formulas.escape(text) == cell
    assert formulas.unescape(cell) == text


@pytest.mark.parametrize("cell", ["=1;'=2", "'=1;=2", "- flour\n'- sugar"])
def test_a_cell_that_no_export_contains_is_not_changed(cell: str) -> None:
    assert formulas.unescape(cell) == cell


@given(NASTY)
def test_every_text_is_read_back(text: str) -> None:
    assert formulas.unescape(formulas.escape(text)) == text


@given(NASTY)
def test_no_cell_begins_with_a_formula(text: str) -> None:
    for delimiter in ";|\t\r\n":
        for cell in formulas.escape(text).split(delimiter):
            assert cell.lstrip(' "\t\r\n')[:1] not in {"=", "+", "-", "@", "\uff1d"}
