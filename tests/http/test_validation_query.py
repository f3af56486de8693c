"""A query parameter that an operation does not have is rejected by name, as a member of a body is."""

import re

import pytest

from app import spec
from app.spec import Operation
from tests.support.client import Client

DOCUMENT = spec.document()
OPERATIONS = list(spec.operations(DOCUMENT))


def parameters(operation: Operation, kind: str) -> list[str]:
    found = [spec.resolve(DOCUMENT, parameter) for parameter in operation.definition.get("parameters", [])]
    return [parameter["name"] for parameter in found if parameter["in"] == kind]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
class TestEveryOperation:
    def test_rejects_a_parameter_it_does_not_have(self, client: Client, operation: Operation) -> None:
        path = re.sub(r"{\w+}", "c" + "0" * 24, operation.path)
        body: dict[str, str] | None = {} if "requestBody" in operation.definition else None
        headers = dict.fromkeys(parameters(operation, "header"), "key")  # some operations require it

        query = {"unknown": "1", "Limit": "2"}
        response = client.request(operation.method, path, params=query, json=body, headers=headers)

        known = parameters(operation, "query")
        assert response.status_code == 400
        assert response.json()["code"] == "validation_failed"
        assert [detail for detail in response.json()["details"] if "known" in detail] == [
            {"pointer": f"/query/{name}", "message": f"{name} is not a known parameter", "known": known}
            for name in ("unknown", "Limit")
        ]

    def test_reads_no_parameter_of_another_kind_from_the_query(self, client: Client, operation: Operation) -> None:
        path = re.sub(r"{\w+}", "c" + "0" * 24, operation.path)
        elsewhere = [*parameters(operation, "path"), *parameters(operation, "header"), "Authorization", "customer_id"]

        response = client.request(operation.method, path, params=dict.fromkeys(elsewhere, "x"))

        assert response.status_code in {400, 415}
        if response.status_code == 400:
            assert {detail["pointer"] for detail in response.json()["details"]} >= {
                f"/query/{name}" for name in elsewhere
            }


class TestNames:
    @pytest.mark.parametrize(
        ("query", "name", "pointer"),
        [
            ("email=a%40b.de", "email", "/query/email"),
            ("limit[]=5", "limit[]", "/query/limit[]"),
            ("limit%20=5", "limit ", "/query/limit "),
            ("a/b~c=", "a/b~c", "/query/a~1b~0c"),
            ("gr%C3%B6%C3%9Fe", "größe", "/query/größe"),
            ("=5", "An empty name", "/query/"),
            ("x" * 300, "x" * 99 + "…", "/query/" + "x" * 92 + "…"),
        ],
    )
    def test_appear_decoded_and_shortened(self, client: Client, query: str, name: str, pointer: str) -> None:
        response = client.get(f"/orders?{query}")

        assert response.status_code == 400
        (detail,) = response.json()["details"]
        assert detail["message"] == response.json()["error"] == f"{name} is not a known parameter"
        assert detail["pointer"] == pointer

    def test_come_after_the_errors_of_known_ones(self, client: Client) -> None:
        response = client.get("/orders", params={"nope": "1", "limit": "x"})

        assert [detail["pointer"] for detail in response.json()["details"]] == ["/query/limit", "/query/nope"]

    def test_a_repeated_unknown_one_is_one_error(self, client: Client) -> None:
        assert len(client.get("/orders?nope=1&nope=2").json()["details"]) == 1

    def test_the_request_changes_nothing(self, client: Client) -> None:
        assert client.post("/customers?dryRun=true", json={"email": "a@example.com"}).status_code == 400
        assert client.get("/customers").json()["data"] == []


def test_pages_and_probes_ignore_the_query(client: Client) -> None:
    for path in ("/docs", "/healthz", "/readyz"):
        assert client.get(str(client.base_url).removesuffix("/api/v1/") + path + "?x=1").status_code == 200
