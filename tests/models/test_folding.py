"""Texts are folded for search so that case is ignored in every script."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import searchable

TEXTS = st.text(max_size=20)


class TestSearchable:
    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("Flour", "FLOUR"),
            ("\u0130stanbul", "istanbul"),
            ("\u0130STANBUL", "i\u0307stanbul"),
            ("ISPARTA", "\u0131sparta"),
            ("Stra\u00dfe", "STRASSE"),
            ("STRA\u1e9eE", "strasse"),
            ("\ufb01ne \ufb04our", "FINE FFLOUR"),
            ("\u01c4em", "\u01c6em"),
            ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
            ("\u1fb3", "\u0391\u0399"),
            ("\u0149", "\u02bcN"),
            ("Cafe\u0301", "CAF\u00c9"),
            ("\u01f0", "J\u030c"),
            ("\uff26\uff4c\uff4f\uff55\uff52", "flour"),
            ("10\u00a0kg", "10 KG"),
            ("m\u00b2", "M2"),
        ],
    )
    def test_is_equal_for_texts_that_differ_only_in_case_or_form(self, text: str, same: str) -> None:
        assert searchable(text) == searchable(same)

    @pytest.mark.parametrize(("text", "other"), [("caf\u00e9", "cafe"), ("\u00f8l", "ol"), ("\u00e4pfel", "apfel")])
    def test_keeps_accents(self, text: str, other: str) -> None:
        assert searchable(text) != searchable(other)

    def test_ignores_the_case_of_every_character(self) -> None:
        characters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
        spellings = ((letter, {letter.upper(), letter.lower(), letter.title()}) for letter in characters)

        assert [letter for letter, others in spellings if {*map(searchable, others)} != {searchable(letter)}] == []

    @given(TEXTS)
    def test_ignores_the_case_of_texts_and_folds_once(self, text: str) -> None:
        assert searchable(text.upper()) == searchable(text.lower()) == searchable(text)
        assert searchable(searchable(text)) == searchable(text)

    @given(TEXTS, TEXTS)
    def test_keeps_fields_apart(self, text: str, other: str) -> None:
        folded = [searchable(field.replace("\x1f", " ")) for field in (text, other) if field]

        assert searchable(text, None, other) == "\x1f".join(folded)
