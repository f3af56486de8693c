"""Texts are folded for search so that case never matters, in any script."""

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
    def test_is_the_same_for_what_differs_in_case_or_form_only(self, text: str, same: str) -> None:
        assert searchable(text) == searchable(same)

    @pytest.mark.parametrize(("text", "other"), [("caf\u00e9", "cafe"), ("\u00f8l", "ol"), ("\u00e4pfel", "apfel")])
    def test_keeps_accents(self, text: str, other: str) -> None:
        assert searchable(text) != searchable(other)

    def test_ignores_the_case_of_every_character(self) -> None:
        characters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
        spellings = ((each, {each.upper(), each.lower(), each.title(), each.casefold()}) for each in characters)

        assert [one for one, others in spellings if {searchable(each) for each in others} != {searchable(one)}] == []

    @given(TEXTS)
    def test_ignores_the_case_of_texts_and_folds_once(self, text: str) -> None:
        assert searchable(text.upper()) == searchable(text.lower()) == searchable(text)
        assert searchable(searchable(text)) == searchable(text)

    @given(TEXTS, TEXTS)
    def test_keeps_fields_apart(self, text: str, other: str) -> None:
        assert searchable(text, None, other) == "\x1f".join(
            searchable(each.replace("\x1f", " ")) for each in (text, other) if each
        )
