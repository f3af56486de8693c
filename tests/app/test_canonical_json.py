"""Canonical JSON, with the test vectors of RFC 8785 and in comparison with JavaScript."""

import json
import math
import struct
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import canonical_json
from tests.support.debian import program

# RFC 8785, appendix B
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]
# RFC 8785, sections 3.2.2 to 3.2.4
SAMPLE = r"""{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
}"""
CANONICAL_SAMPLE = (
    "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e333333333333"
    "332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c"
    "222f227d"
)
KEYS = r"""{
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
}"""
SORTED_KEYS = [
    "Carriage Return",
    "One",
    "Control",
    "Latin Small Letter O With Diaeresis",
    "Euro Sign",
    "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
]
JAVASCRIPT = """
const canonical = (value) =>
  Array.isArray(value) ? "[" + value.map(canonical).join(",") + "]"
  : value !== null && typeof value === "object"
    ? "{" + Object.keys(value).sort().map((name) => JSON.stringify(name) + ":" + canonical(value[name])).join(",") + "}"
    : JSON.stringify(value);
const values = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(values.map(canonical)));
"""
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER_STRATEGY = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**25), 10**25)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBER_STRATEGY | TEXTS,
    lambda items: st.lists(items) | st.dictionaries(TEXTS, items),
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_a_number_of_the_rfc(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))

    assert canonical_json.dumps(number).decode() == text


def test_the_sample_of_the_rfc() -> None:
    assert canonical_json.dumps(json.loads(SAMPLE)).hex() == CANONICAL_SAMPLE


def test_names_are_sorted_as_in_the_rfc() -> None:
    assert list(json.loads(canonical_json.dumps(json.loads(KEYS))).values()) == SORTED_KEYS


@settings(max_examples=20, deadline=None)
@given(st.lists(VALUES, min_size=20))
def test_javascript_returns_the_same(values: list[Any]) -> None:
    run = subprocess.run(
        [program("node", "nodejs"), "-e", JAVASCRIPT],
        input=json.dumps(values).encode(),
        capture_output=True,
        check=True,
    )

    assert [canonical_json.dumps(value).decode() for value in values] == json.loads(run.stdout)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (-(2**53) - 1, "-9007199254740992"),
        (10**21, "1e+21"),
    ],
)
def test_a_large_whole_number_is_a_double(number: int, text: str) -> None:
    assert canonical_json.dumps({"n": [number]}).decode() == f'{{"n":[{text}]}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, "\ud800", {"\udfff": 1}])
def test_a_value_without_canonical_json_is_rejected(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        canonical_json.dumps([value])


def test_deeply_nested_arrays_are_rejected() -> None:
    value: list[Any] = []
    for _ in range(10_000):
        value = [value]

    with pytest.raises(ValueError, match="nested too deeply"):
        canonical_json.dumps(value)
