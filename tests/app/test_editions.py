"""The 3.1 edition: valid, complete, and the same API as the document that it is derived from."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from app import editions, spec
from app.delivery import signing
from app.services import webhook_secrets
from app.spec import Document

SOURCE = spec.published()
EDITION = editions.document("3.1")
WEBHOOKS = {name: item["post"] for name, item in EDITION["webhooks"].items()}
OPERATIONS = {operation.id: operation for operation in spec.operations(SOURCE)}
EDITED = {operation.id: operation for operation in spec.operations(EDITION)}
SCHEMA_MEMBERS = {"items", "not", "additionalProperties"}


def schemas(node: Any) -> Iterator[Document]:
    """Yield every schema below an object of the edition that is not itself a schema."""
    if isinstance(node, list):
        for child in node:
            yield from schemas(child)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "schema":
            yield from parts(value)
        elif key == "schemas":
            for schema in value.values():
                yield from parts(schema)
        elif key not in {"example", "examples", "links"}:
            yield from schemas(value)


def parts(schema: Document) -> Iterator[Document]:
    """Yield a schema and every schema in it."""
    yield schema
    for key, value in schema.items():
        if key == "properties":
            children = list(value.values())
        elif key in {"allOf", "anyOf", "oneOf"}:
            children = value
        else:
            children = [value] if key in SCHEMA_MEMBERS and isinstance(value, dict) else []
        for child in children:
            yield from parts(child)


def bodies(document: Document) -> Iterator[tuple[Document, list[Any]]]:
    """Yield the schema of each body of a request, a response or a webhook, with its examples."""
    contents = [document["paths"], document.get("webhooks", {}), document["components"]["responses"]]
    for content in _contents(contents):
        examples = [spec.resolve(document, example)["value"] for example in content.get("examples", {}).values()]
        yield content["schema"], examples


def _contents(node: Any) -> Iterator[Document]:
    if isinstance(node, list):
        for child in node:
            yield from _contents(child)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "content":
            yield from value.values()
        else:
            yield from _contents(value)


def validator(schema: Document) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema of the edition."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": EDITION["components"]})


def resolved(document: Document, parameters: list[Document]) -> list[Document]:
    return [spec.resolve(document, parameter) for parameter in parameters]


class TestValidity:
    def test_it_is_an_openapi_3_1_document(self) -> None:
        assert [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(EDITION)] == []

    def test_every_schema_is_one_of_json_schema_2020_12(self) -> None:
        found = list(schemas(EDITION))

        assert len(found) > 500
        for schema in found:
            jsonschema_rs.Draft202012Validator({**schema, "components": EDITION["components"]})

    def test_nothing_of_openapi_3_0_is_left(self) -> None:
        found = [schema for schema in schemas(EDITION) if schema.keys() & {"nullable", "example"}]

        assert found == []
        assert "x-webhooks" not in EDITION
        assert EDITION["openapi"] == "3.1.0"

    def test_the_examples_of_every_body_are_valid(self) -> None:
        checked = [(validator(schema), example) for schema, examples in bodies(EDITION) for example in examples]

        assert len(checked) > 200
        assert [error.message for rule, example in checked for error in rule.iter_errors(example)] == []

    def test_deriving_leaves_the_document_as_it_is(self) -> None:
        assert spec.load() == spec.document()


class TestOperations:
    def test_the_edition_has_the_operations_of_the_document(self) -> None:
        assert EDITED.keys() == OPERATIONS.keys()
        for name, operation in EDITED.items():
            assert operation.definition.keys() == OPERATIONS[name].definition.keys()

    def test_scopes_are_roles_of_the_bearer_scheme(self) -> None:
        for operation in EDITED.values():
            roles = [] if operation.scope is None else [operation.scope]
            assert operation.definition["security"] == ([] if operation.is_public else [{"bearerAuth": roles}])

    def test_only_the_type_of_an_event_changes_among_the_components(self) -> None:
        names = {kind: set(found) for kind, found in SOURCE["components"].items()}
        edited = {kind: set(found) for kind, found in EDITION["components"].items()}

        assert {kind: edited[kind] - found for kind, found in names.items() if edited[kind] != found} == {
            "parameters": set(spec.read(editions.ADDITIONS)["components"]["parameters"])
        }


class TestWebhooks:
    def test_every_event_type_is_a_webhook(self) -> None:
        types = SOURCE["components"]["schemas"]["EventType"]["enum"]

        assert sorted(WEBHOOKS) == sorted(SOURCE["x-webhooks"])
        assert sorted(name for name, _ in editions.events(SOURCE)) == sorted(types)

    def test_they_have_a_tag_of_which_no_operation_is(self) -> None:
        tags = {tag for webhook in WEBHOOKS.values() for tag in webhook["tags"]}

        assert len(tags) == 1
        assert tags.isdisjoint(operation.tag for operation in OPERATIONS.values())
        assert tags < {tag["name"] for tag in EDITION["tags"]}

    def test_a_delivery_needs_no_key(self) -> None:
        assert {str(webhook["security"]) for webhook in WEBHOOKS.values()} == {"[]"}

    def test_the_headers_are_those_of_a_delivery_and_their_values_are_valid(self) -> None:
        secrets = [webhook_secrets.generate() for _ in range(4)]
        sent = signing.headers(
            message_id="c" + "0" * 24, event="order.created", timestamp=1_776_000_000, body=b"{}", secrets=secrets
        )
        sent["X-Request-Id"] = "4f0c2a7e9b6d4c1f8a35e2d70b9c6e18"
        for webhook in WEBHOOKS.values():
            declared = {parameter["name"]: parameter for parameter in resolved(EDITION, webhook["parameters"])}
            assert declared.keys() == sent.keys() - {"Content-Type", "User-Agent"}
            for name, parameter in declared.items():
                validator(parameter["schema"]).validate(sent[name])

    def test_only_headers_of_every_delivery_are_required(self) -> None:
        (webhook, *_) = WEBHOOKS.values()
        optional = {
            parameter["name"] for parameter in resolved(EDITION, webhook["parameters"]) if not parameter["required"]
        }

        assert optional == {"X-Webhook-Signature-Previous", "X-Request-Id"}


class TestEvents:
    def union(self) -> Document:
        page = spec.resolve(
            EDITION, EDITED["listEvents"].definition["responses"]["200"]["content"]["application/json"]["schema"]
        )
        return spec.resolve(EDITION, page["properties"]["data"]["items"])

    def test_an_event_is_one_of_the_named_events(self) -> None:
        union = self.union()
        bodies = {
            webhook["requestBody"]["content"]["application/json"]["schema"]["$ref"] for webhook in WEBHOOKS.values()
        }

        assert {alternative["$ref"] for alternative in union["oneOf"]} == bodies
        assert set(union["discriminator"]["mapping"].values()) == bodies

    def test_the_discriminator_is_a_required_constant_of_every_alternative(self) -> None:
        discriminator = self.union()["discriminator"]

        for value, reference in discriminator["mapping"].items():
            schema = spec.resolve(EDITION, {"$ref": reference})
            assert discriminator["propertyName"] in schema["required"]
            assert schema["properties"][discriminator["propertyName"]]["const"] == value

    def test_an_event_with_the_data_of_another_type_is_invalid(self) -> None:
        examples = EDITION["components"]["examples"]
        created = examples["OrderCreatedEvent"]["value"]
        rule = validator(self.union())

        assert rule.is_valid(created)
        assert not rule.is_valid({**created, "event": "customer.created"})
        assert not rule.is_valid({**created, "event": "order.unknown"})

    def test_the_document_itself_keeps_the_data_of_an_event(self) -> None:
        assert SOURCE["components"]["schemas"]["WebhookEvent"]["properties"]["data"]["type"] == "object"


@pytest.mark.parametrize(
    ("schema", "converted"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"type": "string", "enum": ["a", "b"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", "b", None]},
        ),
        ({"type": "string", "enum": ["a", None], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"allOf": [{"$ref": "#/x"}], "nullable": True}, {"anyOf": [{"allOf": [{"$ref": "#/x"}]}, {"type": "null"}]}),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "const": "a"}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"anyOf": [{"type": "string", "const": "a"}, {"type": "null"}]},
        ),
        ({"type": "string", "allOf": [{"$ref": "#/x"}], "enum": ["a"]}, {"type": "string", "const": "a"}),
        ({"minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
        ({"maximum": 9, "exclusiveMaximum": True}, {"exclusiveMaximum": 9}),
        ({"minimum": 0, "exclusiveMinimum": False}, {"minimum": 0}),
        ({"type": "integer", "example": 3}, {"type": "integer", "examples": [3]}),
        ({"properties": {"example": {"type": "string"}}}, {"properties": {"example": {"type": "string"}}}),
        ({"items": {"nullable": True, "type": "object"}}, {"items": {"type": ["object", "null"]}}),
        (
            {"additionalProperties": {"type": "string", "example": "a"}},
            {"additionalProperties": {"type": "string", "examples": ["a"]}},
        ),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"default": {"nullable": True}}, {"default": {"nullable": True}}),
    ],
)
def test_a_schema_is_converted(schema: Document, converted: Document) -> None:
    assert editions.json_schema(schema) == converted
