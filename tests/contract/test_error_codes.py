"""The catalogue of error codes: openapi/errors.yaml explains each, and each response of the document lists its own."""

from typing import Any

import pytest

from app import spec
from tests.contract import error_page
from tests.contract.test_document import DOCUMENT, OPERATIONS

CATALOGUE = DOCUMENT["x-error-codes"]
RESPONSES = DOCUMENT["components"]["responses"]
# Of `/readyz`, of methods that the document does not have, and of an item of a bulk request.
OUTSIDE = {"not_ready", "method_not_allowed", "duplicate_item"}
STATUSES = {
    (reference["$ref"].rpartition("/")[2], int(status))
    for operation in OPERATIONS
    for status, reference in operation.definition["responses"].items()
    if status >= "4"
}


def test_the_page_is_up_to_date() -> None:
    page = error_page.PAGE.read_text("utf-8")

    assert error_page.update(page) == page, "docs/errors.md is out of date. Run: make docs"


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_has_a_status_a_meaning_and_an_action(code: str) -> None:
    assert list(CATALOGUE[code]) == ["status", "meaning", "action"]
    assert all(CATALOGUE[code][text].endswith(".") for text in ("meaning", "action"))


def test_every_code_is_one_of_a_response() -> None:
    assert {code for name, _ in STATUSES for code in RESPONSES[name]["x-error-codes"]} == CATALOGUE.keys() - OUTSIDE


@pytest.mark.parametrize(("name", "status"), sorted(STATUSES))
def test_the_codes_of_a_response_have_its_status(name: str, status: int) -> None:
    codes = RESPONSES[name]["x-error-codes"]

    assert {code: CATALOGUE[code]["status"] for code in codes} == dict.fromkeys(codes, status)
    assert codes == [code for code in CATALOGUE if code in codes], "Use the order of openapi/errors.yaml."


@pytest.mark.parametrize("name", sorted({name for name, _ in STATUSES}))
def test_the_examples_of_a_response_have_its_codes(name: str) -> None:
    examples = RESPONSES[name]["content"]["application/json"]["examples"].values()
    shown = {code for example in examples for code in _codes(spec.resolve(DOCUMENT, example)["value"])}

    assert shown
    assert shown <= set(RESPONSES[name]["x-error-codes"])


def _codes(body: dict[str, Any]) -> set[str]:
    return {body["code"]} | {detail["code"] for detail in body.get("details", []) if "code" in detail}
