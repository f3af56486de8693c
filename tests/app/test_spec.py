"""The OpenAPI document at the start: what an operation must declare, and what the message says when it does not."""

import copy
from pathlib import Path
from typing import Any

import pytest
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification

from app import spec
from app.errors import StartError
from app.http.server import create_app
from app.spec import Document, Operation
from models import Scope
from tests.support.servers import open_database, settings


def changed(**members: Any) -> Document:
    """Return the document with other members of `GET /products`; None removes one."""
    document = spec.load()
    definition = document["paths"]["/products"]["get"]
    document["paths"]["/products"]["get"] = {
        name: value for name, value in (definition | members).items() if value is not None
    }
    return document


def list_products(document: Document) -> Operation:
    return next(operation for operation in spec.operations(document) if operation.path == "/products")


def start_error(document: Document, directory: Path) -> str:
    """Return the message that stops the start of a server with this document."""
    url = f"sqlite:///{directory}/none.sqlite3"
    with pytest.raises(StartError) as caught:
        create_app(settings(url), open_database(url), document=document)
    return str(caught.value)


class TestAccess:
    def test_an_operation_requires_the_scope_that_it_names(self) -> None:
        operation = list_products(spec.document())

        assert (operation.is_public, operation.scope) == (False, Scope.PRODUCTS_READ)

    def test_any_takes_every_valid_key(self) -> None:
        operation = list_products(changed(**{"x-scope": "any"}))

        assert (operation.is_public, operation.scope) == (False, None)

    def test_empty_security_is_public(self) -> None:
        operation = list_products(changed(**{"x-scope": None, "security": []}))

        assert (operation.is_public, operation.scope) == (True, None)

    def test_no_scope_stops_the_start_and_the_message_names_every_choice(self, tmp_path: Path) -> None:
        message = start_error(changed(**{"x-scope": None}), tmp_path)

        assert "GET /products has no scope." in message
        assert all(f"{scope}," in message for scope in Scope)
        assert "'any' for every valid API key" in message
        assert "'security: []'" in message
        assert "\n" not in message

    @pytest.mark.parametrize("scope", ["product:read", "", "Any", ["products:read"], {}, 1])
    def test_an_unknown_scope_stops_the_start_and_the_message_names_it(self, tmp_path: Path, scope: Any) -> None:
        message = start_error(changed(**{"x-scope": scope}), tmp_path)

        assert f"GET /products has the unknown scope '{scope}'." in message
        assert all(f"{known}," in message for known in Scope)

    def test_a_public_operation_with_a_scope_stops_the_start(self, tmp_path: Path) -> None:
        message = start_error(changed(security=[]), tmp_path)

        assert "GET /products is public, but has the scope 'products:read'." in message


class TestOperations:
    @pytest.mark.parametrize("member", ["operationId", "tags"])
    def test_a_missing_member_stops_the_start(self, tmp_path: Path, member: str) -> None:
        assert f"GET /products has no {member}." in start_error(changed(**{member: None}), tmp_path)

    def test_a_missing_handler_stops_the_start(self, tmp_path: Path) -> None:
        message = start_error(changed(operationId="listNothing"), tmp_path)

        assert "The operation listNothing has no handler handlers.products.list_nothing" in message


class TestSecrets:
    def test_every_operation_that_shows_a_secret_says_where(self) -> None:
        found = {operation.id: operation.secret_members for operation in spec.operations(spec.document())}

        assert {name: members for name, members in found.items() if members} == {
            "createApiKey": (("data", "key"),),
            "rotateApiKey": (("data", "key"),),
            "createWebhook": (("data", "secret"),),
            "rotateWebhookSecret": (("data", "secret"),),
        }

    def test_a_secret_in_a_list_stops_the_start(self, tmp_path: Path) -> None:
        document = changed()
        product = document["components"]["schemas"]["Product"]
        product["properties"]["sku"] = {**product["properties"]["sku"], "x-secret": True}

        assert "An item of data.results has x-secret" in start_error(document, tmp_path)


class TestValidation:
    """When the server starts, Connexion reads the operations without their schemas and examples."""

    def test_connexion_accepts_the_whole_document(self) -> None:
        Specification.from_dict(copy.deepcopy(spec.document()))

    def test_an_invalid_schema_is_found(self) -> None:
        document = copy.deepcopy(spec.document())
        document["components"]["schemas"]["Product"]["type"] = "thing"

        with pytest.raises(InvalidSpecification):
            Specification.from_dict(document)
