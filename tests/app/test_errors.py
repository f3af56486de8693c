"""Each refusal has a class and a code of its own; both are in the documentation, and each error has its status."""

import importlib
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from app import errors, spec
from app.db import ConflictError
from app.errors import DomainError, InvalidValueError, RefusalError
from app.http.errors import translate
from app.product_import.product_csv import RejectedFileError
from tests.support.servers import ROOT

SOURCES = sorted(file for folder in ("app", "handlers") for file in (ROOT / folder).rglob("*.py"))
for file in SOURCES:
    if file.name != "__main__.py":
        importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
COMMAND_LINE = {InvalidValueError, RejectedFileError}


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


DOMAIN = list(below(DomainError))
REFUSALS = [each for each in DOMAIN if issubclass(each, RefusalError) and each is not RefusalError]


def test_each_refusal_has_a_code_of_its_own() -> None:
    codes = Counter(vars(each).get("code") for each in REFUSALS)

    assert len(REFUSALS) > 10
    assert None not in codes
    assert set(codes.values()) == {1}


def test_each_code_of_a_refusal_is_explained_with_its_status() -> None:
    page = (ROOT / "docs/errors.md").read_text()

    listed = re.findall(r"^\| 422 \| `(\w+)`", page, re.MULTILINE)
    assert sorted(listed) == sorted(vars(each)["code"] for each in REFUSALS)


def test_each_code_of_a_refusal_has_an_example_in_the_document() -> None:
    document = spec.document()
    shown = set()
    for operation in spec.operations(document):
        response = spec.resolve(document, operation.definition["responses"].get("422", {}))
        for example in response.get("content", {}).get("application/json", {}).get("examples", {}).values():
            value = spec.resolve(document, example)["value"]
            assert value["details"][0]["code"] == value["code"]
            assert value["details"][0]["message"] == value["error"]
            shown.add(value["code"])

    assert shown == {vars(each)["code"] for each in REFUSALS}


def test_the_tree_in_the_docstring_is_complete() -> None:
    listed = re.findall(r"^ +(?:[+·] )?(\w+Error)", str(errors.__doc__), re.MULTILINE)

    others = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert sorted(listed) == sorted({each.__name__ for each in (*DOMAIN, *others, ConflictError)})


def test_only_the_command_line_raises_what_has_no_code() -> None:
    raised = {(file.name, name) for file in SOURCES for name in re.findall(r"raise (\w+Error)\b", file.read_text())}

    assert [each for each in raised if each[1] in {"DomainError", "RefusalError"}] == []
    assert {file for file, name in raised if name == "InvalidValueError"} == {"companies.py", "keys.py", "pricing.py"}
    assert {file for file, name in raised if name == "RejectedFileError"} == {"importer.py", "product_csv.py"}


@pytest.mark.parametrize(
    "kind", [each for each in DOMAIN if each not in {RefusalError, *COMMAND_LINE}], ids=lambda kind: kind.__name__
)
def test_each_error_of_a_caller_has_its_status(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "message")
    vars(error).update(pointer="/here", data={}, refusals=(error,))

    answer = translate(error)

    expected = 422 if issubclass(kind, RefusalError) else 404 if issubclass(kind, errors.NotFoundError) else 400
    assert answer.status == expected
    assert answer.code != "internal_error"


@pytest.mark.parametrize(
    "error", [InvalidValueError("secret"), RejectedFileError([])], ids=lambda error: type(error).__name__
)
def test_what_only_the_command_line_can_cause_shows_nothing_over_the_api(error: Exception) -> None:
    assert translate(error).status == 500
    assert b"secret" not in translate(error).body()
