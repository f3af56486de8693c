"""Every refusal has a class with a unique code, which is documented; every error has its status."""

import importlib
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from app import errors, spec
from app.driver_errors import ConflictError
from app.errors import DomainError, InvalidValueError, RefusalError
from app.http.errors import translate
from app.preconditions import PreconditionFailedError
from app.product_import.product_csv import RejectedFileError
from app.schemas.errors import ErrorDetail
from tests.support.servers import ROOT

SOURCES = sorted(file for folder in ("app", "handlers") for file in (ROOT / folder).rglob("*.py"))
for file in SOURCES:
    if file.name != "__main__.py":
        importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
COMMAND_LINE = {InvalidValueError, RejectedFileError}


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from below(subclass)


DOMAIN = list(below(DomainError))
REFUSALS = [kind for kind in DOMAIN if issubclass(kind, RefusalError) and kind is not RefusalError]


def test_every_refusal_has_a_unique_code() -> None:
    codes = Counter(vars(kind).get("code") for kind in REFUSALS)

    assert len(REFUSALS) > 10
    assert None not in codes
    assert set(codes.values()) == {1}


def test_every_refusal_code_is_documented_with_its_status() -> None:
    listed = [code for code, entry in spec.document()["x-error-codes"].items() if entry["status"] == 422]

    assert sorted(listed) == sorted(vars(kind)["code"] for kind in REFUSALS)


def test_every_refusal_code_has_an_example_in_the_document() -> None:
    document = spec.document()
    shown = set()
    for operation in spec.operations(document):
        response = spec.resolve(document, operation.definition["responses"].get("422", {}))
        for example in response.get("content", {}).get("application/json", {}).get("examples", {}).values():
            value = spec.resolve(document, example)["value"]
            assert value["details"][0]["code"] == value["code"]
            assert value["details"][0]["message"] == value["error"]
            shown.add(value["code"])
            shown.update(result["code"] for result in value.get("results", []) if result["status"] == 422)

    assert shown == {vars(kind)["code"] for kind in REFUSALS}


def test_the_tree_in_the_docstring_is_complete() -> None:
    lines = re.findall(r"^ +(?:[+·] )?(\w+Error(?:, \w+Error)*)", str(errors.__doc__), re.MULTILINE)
    listed = [name for line in lines for name in line.split(", ")]

    others = [member for member in vars(errors).values() if isinstance(member, type) and issubclass(member, Exception)]
    assert sorted(listed) == sorted({kind.__name__ for kind in (*DOMAIN, *others, ConflictError)})


def test_only_the_command_line_raises_errors_without_a_code() -> None:
    raised = {(file.name, name) for file in SOURCES for name in re.findall(r"raise (\w+Error)\b", file.read_text())}

    assert [entry for entry in raised if entry[1] in {"DomainError", "RefusalError"}] == []
    assert {file for file, name in raised if name == "InvalidValueError"} == {
        "companies.py",
        "credit_note.py",
        "keys.py",
        "named_items.py",
        "price.py",
    }
    assert {file for file, name in raised if name == "RejectedFileError"} == {
        "importer.py",
        "price_csv.py",
        "price_importer.py",
        "product_csv.py",
    }


@pytest.mark.parametrize(
    "kind", [kind for kind in DOMAIN if kind not in {RefusalError, *COMMAND_LINE}], ids=lambda kind: kind.__name__
)
def test_every_client_error_has_its_status(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "message")
    details = [ErrorDetail(pointer="/here", message="message")]
    reasons: dict[str, object] = {"refusals": (error,), "violations": (error,), "details": details, "results": []}
    vars(error).update(pointer="/here", data={}, **reasons)

    response = translate(error)

    statuses = {RefusalError: 422, errors.NotFoundError: 404, PreconditionFailedError: 412}
    expected = next((status for base, status in statuses.items() if issubclass(kind, base)), 400)
    assert response.status == expected
    assert response.code != "internal_error"


@pytest.mark.parametrize(
    "error", [InvalidValueError("secret"), RejectedFileError([])], ids=lambda error: type(error).__name__
)
def test_an_error_of_the_command_line_shows_nothing_over_the_api(error: Exception) -> None:
    assert translate(error).status == 500
    assert b"secret" not in translate(error).body()
