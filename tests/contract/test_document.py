"""The document: what generators make of it, and that it and the code say the same."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import spec
from app.config import rate_limit
from models import CustomerStatus, OrderStatus, Product
from tests.support.servers import ROOT, settings

DOCUMENT = spec.document()
OPERATIONS = list(spec.operations(DOCUMENT))
COMPONENTS = {(kind, name) for kind, items in DOCUMENT["components"].items() for name in items}


class TestGenerators:
    def test_a_python_client_comes_out_without_a_warning(self, tmp_path: Path) -> None:
        bundle, client = tmp_path / "openapi.yaml", tmp_path / "client"
        bundle.write_text(spec.to_yaml(DOCUMENT))
        program = "import sys; from openapi_python_client.cli import app; sys.exit(app())"
        options = ["--path", str(bundle), "--output-path", str(client), "--meta", "none", "--fail-on-warning"]
        tools = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-c", program, "generate", *options]
        run = subprocess.run(command, env=tools, capture_output=True, text=True, check=False)

        assert run.returncode == 0, run.stdout
        assert "warning" not in run.stdout.lower()
        made = {file.stem for file in client.glob("api/*/*.py")} - {"__init__"}
        assert made == {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", each.id).lower() for each in OPERATIONS}


class TestIdempotency:
    def test_everything_that_changes_something_can_be_repeated(self) -> None:
        parameter = {"$ref": "#/components/parameters/IdempotencyKey"}
        changing = [each for each in OPERATIONS if each.method in {"POST", "PATCH"}]

        assert changing
        assert [each.id for each in changing if parameter not in each.definition.get("parameters", [])] == []

    def test_every_body_is_closed(self) -> None:
        bodies = [
            each.definition["requestBody"]["content"]["application/json"]["schema"]
            for each in OPERATIONS
            if "requestBody" in each.definition
        ]

        assert bodies
        assert all(spec.resolve(DOCUMENT, each)["additionalProperties"] is False for each in bodies)

    def test_every_status_of_an_order_is_in_the_document(self) -> None:
        assert DOCUMENT["components"]["schemas"]["OrderStatus"]["enum"] == list(OrderStatus)
        assert DOCUMENT["components"]["schemas"]["CustomerStatus"]["enum"] == list(CustomerStatus)


class TestParity:
    @pytest.mark.parametrize("field", ["name", "sku", "description", "category", "unit", "imageUrl"])
    def test_lengths_in_the_document_fit_the_columns(self, field: str) -> None:
        schema = DOCUMENT["components"]["schemas"]["Product"]["properties"][field]
        column = Product.__table__.c[re.sub(r"([A-Z])", r"_\1", field).lower()]

        assert schema["maxLength"] == column.type.length  # type: ignore[attr-defined]
        assert schema.get("nullable", False) is column.nullable

    def test_the_rate_limit_the_document_tells_is_the_default(self) -> None:
        assert "60 requests" in DOCUMENT["info"]["description"]
        assert settings("sqlite:///x").rate_limit == rate_limit("60/minute")


class TestFiles:
    def test_the_bundle_has_every_component_file(self) -> None:
        files = {file.relative_to(ROOT / "openapi/components") for file in (ROOT / "openapi/components").rglob("*.*")}

        assert {Path(kind) / f"{name}.yaml" for kind, name in COMPONENTS} == files

    def test_every_component_is_used(self) -> None:
        roots = {key: DOCUMENT[key] for key in ("paths", "x-webhooks")}
        used, found = set(), _references(roots) | {("securitySchemes", "bearerAuth")}
        while found:
            used |= found
            found = set().union(*(_references(DOCUMENT["components"][kind][name]) for kind, name in found)) - used

        assert COMPONENTS - used == set()

    def test_every_file_below_paths_is_served_at_the_url_of_its_name(self) -> None:
        names = {url[1:].replace("/", "_") or "index" for url in DOCUMENT["paths"]}

        assert names == {file.stem for file in (ROOT / "openapi/paths").iterdir()}

    def test_a_reference_that_leads_nowhere_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "paths").mkdir()
        (tmp_path / "openapi.yaml").write_text("openapi: 3.0.3")
        (tmp_path / "paths/x.yaml").write_text("get: {$ref: ../components/schemas/Nothing.yaml}")

        with pytest.raises(spec.SpecError, match=r"Nothing\.yaml' is not a file"):
            spec.load(tmp_path)


def test_no_response_is_closed() -> None:
    """Additive members must not break clients that validate."""

    def closed(node: Any) -> bool:
        if isinstance(node, dict):
            return node.get("additionalProperties") is False or any(map(closed, node.values()))
        return isinstance(node, list) and any(map(closed, node))

    assert not closed(DOCUMENT["components"]["responses"])
    assert not closed(DOCUMENT["components"]["schemas"]["Product"])


def _references(node: Any) -> set[tuple[str, str]]:
    """Return the kind and the name of every component that `node` refers to."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = set().union(*map(_references, children))
    if isinstance(node, dict) and "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        found.add((kind, name))
    return found
