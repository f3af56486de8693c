"""`distribu openapi diff`."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app import editions, spec
from app.spec import Document
from tests.cli.conftest import Command

DOCUMENT = spec.document()
Write = Callable[[str, Document], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a document to a file, and returns its path."""

    def write(name: str, document: Document) -> str:
        path = tmp_path / name
        path.write_text(spec.to_json(document) if name.endswith("json") else spec.to_yaml(document))
        return str(path)

    return write


def changed() -> Document:
    """Return the document with a parameter, an operation and a status fewer, and an operation and two members more."""
    document = copy.deepcopy(DOCUMENT)
    del document["paths"]["/me"]
    document["paths"]["/you"] = copy.deepcopy(DOCUMENT["paths"]["/me"])
    parameters = document["paths"]["/products"]["get"]["parameters"]
    parameters[:] = [found for found in parameters if found != {"$ref": "#/components/parameters/ProductSkuFilter"}]
    document["components"]["schemas"]["Product"]["properties"]["weight"] = {"type": "number"}
    return document


class TestDiff:
    def test_equal_documents_have_no_difference(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", write("old.json", DOCUMENT), write("new.yaml", DOCUMENT))

        assert (result.code, result.out, result.err) == (0, "", "Nothing breaks clients.\n")

    def test_a_break_is_a_row_of_a_table_and_the_exit_code(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", write("old.json", DOCUMENT), write("new.json", changed()))

        assert result.code == 1
        rows = [" ".join(line.split()) for line in result.out.splitlines()]
        assert "breaks GET /me is removed" in rows
        assert "breaks GET /products query parameter sku is removed" in rows
        assert any(row.startswith("adds GET /you is new") for row in rows)
        assert any(row.startswith("adds ") and row.endswith("data[].weight is new") for row in rows)
        assert result.err == "2 changes break clients.\n"

    def test_breaks_alone_are_shown_on_request(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", "--breaks", write("old.json", DOCUMENT), write("new.json", changed()))

        assert result.code == 1
        assert "adds" not in result.out

    def test_json_has_each_change(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", "--json", write("old.json", DOCUMENT), write("new.json", changed()))

        assert result.code == 1
        found = json.loads(result.out)
        assert {
            "effect": "breaks",
            "operation": "GET /products",
            "part": "query parameter sku",
            "member": "",
            "change": "is removed",
        } in found
        assert [row["operation"] for row in found if row["member"] == "data[].weight"] == ["GET /products"]

    def test_the_changelog_has_the_additions(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", "--changelog", write("old.json", changed()), write("new.json", DOCUMENT))

        summary = DOCUMENT["paths"]["/me"]["get"]["summary"]
        assert f"- `GET /me` is new: {summary}." in result.out.splitlines()
        assert "- `GET /products`: the query parameter sku is new." in result.out.splitlines()

    def test_documents_without_an_addition_have_an_empty_changelog(self, bare: Command, write: Write) -> None:
        path = write("old.json", DOCUMENT)

        assert bare("openapi", "diff", "--changelog", path, path).out.strip() == ""


class TestInput:
    def test_different_editions_are_rejected(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", write("old.json", DOCUMENT), write("new.json", editions.document("3.1")))

        assert result.code == 2
        assert "is OpenAPI 3.0, but" in result.err
        assert "is 3.1. Compare the same edition." in result.err

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is not an OpenAPI document: 'openapi' or 'paths' is missing."),
            ("[]", "is not an OpenAPI document"),
            ('{"openapi": "3.0.3"}', "is not an OpenAPI document"),
            ('{"openapi": 3, "paths": {}}', "is not an OpenAPI document"),
            ('{"openapi": ', "is neither JSON nor YAML"),
            ("a: [", "is neither JSON nor YAML"),
            ("a: 1\na: 2", "appears more than once"),
        ],
    )
    def test_what_is_not_a_document_is_rejected(
        self, bare: Command, write: Write, tmp_path: Path, content: str, message: str
    ) -> None:
        (tmp_path / "other.yaml").write_text(content)

        result = bare("openapi", "diff", write("old.json", DOCUMENT), str(tmp_path / "other.yaml"))

        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1

    def test_a_reference_to_another_file_is_rejected(self, bare: Command, write: Write) -> None:
        split = json.loads(spec.to_json(DOCUMENT).replace("#/components/schemas/ProductPage", "ProductPage.yaml"))

        result = bare("openapi", "diff", write("old.json", DOCUMENT), write("new.json", split))

        assert result.code == 2
        assert "'ProductPage.yaml' is not a component of the document." in result.err

    def test_a_missing_file_is_named(self, bare: Command, write: Write) -> None:
        result = bare("openapi", "diff", write("old.json", DOCUMENT), "missing.json")

        assert result.code == 2
        assert "missing.json" in result.err
