"""The OpenAPI document: client generators accept it, and it agrees with the code and with its files."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import spec
from app.config import rate_limit
from app.context import ActorType
from models import (
    CreditNoteStatus,
    CustomerStatus,
    EventType,
    MovementReason,
    OrderStatus,
    Product,
    RefundMethod,
    ReturnReason,
    ReturnStatus,
)
from tests.support.servers import ROOT, settings

DOCUMENT = spec.document()
OPERATIONS = list(spec.operations(DOCUMENT))
PUBLISHED = list(spec.operations(spec.published()))
SCHEMAS = DOCUMENT["components"]["schemas"]
COMPONENTS = {(kind, name) for kind, items in DOCUMENT["components"].items() for name in items}
BODIES = {
    operation.id: spec.resolve(DOCUMENT, operation.definition["requestBody"]["content"]["application/json"]["schema"])
    for operation in OPERATIONS
    if "requestBody" in operation.definition
}
CLOSED_PARTS = {
    "OrderItemCreate",
    "ShippingAddressCreate",
    "BulkInventoryAdjustment",
    "BulkProduct",
    "BulkPrice",
    "PriceBreakCreate",
    "ShipmentItemCreate",
    "ReturnItemCreate",
    "ReturnItemReceive",
}


class TestGenerators:
    def test_a_python_client_is_generated_without_warnings(self, tmp_path: Path) -> None:
        bundle, client = tmp_path / "openapi.yaml", tmp_path / "client"
        bundle.write_text(spec.to_yaml(spec.published()))
        program = "import sys; from openapi_python_client.cli import app; sys.exit(app())"
        options = ["--path", str(bundle), "--output-path", str(client), "--meta", "none", "--fail-on-warning"]
        tools = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [sys.executable, "-c", program, "generate", *options]
        run = subprocess.run(command, env=tools, capture_output=True, text=True, check=False)

        assert run.returncode == 0, run.stdout
        assert "warning" not in run.stdout.lower()
        modules = {file.stem.replace("_", "") for file in client.glob("api/*/*.py")} - {"init"}
        assert modules == {operation.id.lower() for operation in PUBLISHED}

    def test_every_body_that_clients_get_is_json(self) -> None:
        """Generators drop an operation with another media type."""
        responses = [found for operation in PUBLISHED for found in operation.definition["responses"].values()]
        contents = {kind for found in responses for kind in spec.resolve(DOCUMENT, found).get("content", {})}

        assert contents == {"application/json"}
        assert {operation.id for operation in OPERATIONS if operation not in PUBLISHED} == {"getOpenapiYaml"}

    def test_no_link_has_a_body(self) -> None:
        """openapi-generator accepts a string only, and refuses the whole document."""
        assert [name for name, link in DOCUMENT["components"]["links"].items() if "requestBody" in link] == []


class TestRequests:
    def test_every_write_accepts_an_idempotency_key(self) -> None:
        names = {f"#/components/parameters/{name}" for name in ("IdempotencyKey", "RequiredIdempotencyKey")}
        methods = {"POST", "PATCH", "PUT"}
        writes = [operation for operation in OPERATIONS if operation.method in methods and not operation.is_read_only]

        assert writes
        found = {write.id: {parameter.get("$ref") for parameter in write.definition["parameters"]} for write in writes}
        assert [name for name, parameters in found.items() if not parameters & names] == []

    @pytest.mark.parametrize(
        ("item", "single"),
        [
            ("BulkProduct", "ProductUpsert"),
            ("BulkInventoryAdjustment", "InventoryAdjustmentCreate"),
            ("BulkPrice", "PriceOverrideUpsert"),
        ],
    )
    def test_an_item_of_a_bulk_request_has_the_fields_of_the_single_request(self, item: str, single: str) -> None:
        properties = [_without_descriptions(SCHEMAS[name]["properties"]) for name in (item, single)]

        assert {name: properties[0][name] for name in properties[1]} == properties[1]

    def test_a_dry_run_is_a_boolean_member_of_a_required_body(self) -> None:
        found = [operation for operation in OPERATIONS if operation.dry_run_member]

        assert [operation.id for operation in found] == ["refundReturn"]
        for operation in found:
            member = BODIES[operation.id]["properties"][operation.dry_run_member]
            assert (member["type"], member["default"]) == ("boolean", False)
            assert operation.definition["requestBody"]["required"]

    def test_every_body_is_closed(self) -> None:
        assert BODIES
        assert [name for name, schema in BODIES.items() if schema["additionalProperties"] is not False] == []


class TestResponses:
    def test_no_response_is_closed(self) -> None:
        """Clients that validate responses must accept the fields that later versions add."""
        closed = {name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}

        assert closed == {schema["title"] for schema in BODIES.values()} | CLOSED_PARTS


class TestModels:
    @pytest.mark.parametrize(
        "field", ["name", "sku", "externalId", "barcode", "description", "category", "unit", "imageUrl"]
    )
    def test_lengths_equal_those_of_the_columns(self, field: str) -> None:
        schema = SCHEMAS["Product"]["properties"][field]
        column = Product.__table__.c[re.sub(r"([A-Z])", r"_\1", field).lower()]

        assert schema["maxLength"] == column.type.length  # type: ignore[attr-defined]
        assert schema.get("nullable", False) is column.nullable

    def test_enums_have_the_values_of_the_models(self) -> None:
        assert SCHEMAS["OrderStatus"]["enum"] == list(OrderStatus)
        assert SCHEMAS["CustomerStatus"]["enum"] == list(CustomerStatus)
        assert SCHEMAS["InventoryMovementReason"]["enum"] == list(MovementReason)
        assert SCHEMAS["ReturnStatus"]["enum"] == list(ReturnStatus)
        assert SCHEMAS["ReturnReason"]["enum"] == list(ReturnReason)
        assert SCHEMAS["RefundMethod"]["enum"] == list(RefundMethod)
        assert SCHEMAS["CreditNoteStatus"]["enum"] == list(CreditNoteStatus)
        assert SCHEMAS["ActorType"]["enum"] == list(ActorType)
        assert set(SCHEMAS["EventType"]["enum"]) == {*EventType, "webhook.test"}

    def test_the_rate_limit_in_the_description_is_the_default(self) -> None:
        assert "60 requests" in DOCUMENT["info"]["description"]
        assert settings("sqlite:///x").rate_limit == rate_limit("60/minute")


class TestFiles:
    def test_the_bundle_has_every_component_file(self) -> None:
        folder = ROOT / "openapi/components"

        assert {Path(kind, f"{name}.yaml") for kind, name in COMPONENTS} == {
            file.relative_to(folder) for file in folder.rglob("*.*")
        }

    def test_every_component_is_used(self) -> None:
        used: set[tuple[str, str]] = set()
        found = _references([DOCUMENT["paths"], DOCUMENT["x-webhooks"]]) | {("securitySchemes", "bearerAuth")}
        while found:
            used |= found
            found = _references([DOCUMENT["components"][kind][name] for kind, name in found]) - used

        assert COMPONENTS - used == set()

    def test_every_path_file_is_served_at_the_path_of_its_name(self) -> None:
        names = {path[1:].replace("/", "_") or "index" for path in DOCUMENT["paths"]}

        assert names == {file.stem for file in (ROOT / "openapi/paths").iterdir()}

    def test_a_broken_reference_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "paths").mkdir()
        (tmp_path / "openapi.yaml").write_text("openapi: 3.0.3")
        (tmp_path / "paths/x.yaml").write_text("get: {$ref: ../components/schemas/Nothing.yaml}")

        with pytest.raises(spec.SpecError, match=r"Nothing\.yaml' is not a file"):
            spec.load(tmp_path)

    def test_an_operation_can_have_its_own_example_of_a_parameter(self, tmp_path: Path) -> None:
        for directory in ("paths", "components/parameters"):
            (tmp_path / directory).mkdir(parents=True)
        (tmp_path / "openapi.yaml").write_text("openapi: 3.0.3")
        (tmp_path / "errors.yaml").write_text("{}")
        (tmp_path / "components/parameters/Id.yaml").write_text("{name: id, in: path, example: a}")
        reference = "$ref: ../components/parameters/Id.yaml"
        (tmp_path / "paths/x.yaml").write_text(f"get: [{{{reference}}}, {{{reference}, example: b}}]")

        assert spec.load(tmp_path)["paths"]["/x"]["get"] == [
            {"$ref": "#/components/parameters/Id"},
            {"name": "id", "in": "path", "example": "b"},
        ]

    def test_every_path_parameter_has_an_example(self) -> None:
        for operation in PUBLISHED:
            parameters = [spec.resolve(DOCUMENT, found) for found in operation.definition.get("parameters", ())]
            assert all("example" in found for found in parameters if found["in"] == "path"), operation.id

    def test_a_repeated_member_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "paths").mkdir()
        (tmp_path / "openapi.yaml").write_text("openapi: 3.0.3\ninfo:\n  title: A\n  version: 1\n  title: B")

        with pytest.raises(spec.SpecError, match=r"openapi\.yaml, line 3: title appears more than once"):
            spec.load(tmp_path)


def _without_descriptions(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the rules of each property."""
    return {
        name: {key: value for key, value in member.items() if key != "description"}
        for name, member in properties.items()
    }


def _references(node: Any) -> set[tuple[str, str]]:
    """Return the kind and the name of every component that `node` refers to."""
    if isinstance(node, dict) and "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        return {(kind, name)}
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return {reference for child in children for reference in _references(child)}
