"""Parameters are validated together; operations share what validates their headers."""

from app import spec
from app.http.validation import parameter_validators
from tests.support.client import Client

DOCUMENT = spec.document()


def test_errors_are_in_the_order_of_the_document(client: Client) -> None:
    headers = {"Idempotency-Key": "a b", "If-Match": "not a tag"}

    response = client.request("PUT", "/products", params={"sku": "", "y": "1"}, json={}, headers=headers)

    pointers = [detail["pointer"] for detail in response.json()["details"]]
    assert pointers[:4] == ["/query/sku", "/header/Idempotency-Key", "/header/If-Match", "/query/y"]


def test_operations_with_the_same_headers_share_a_validator() -> None:
    operations = {operation.id: operation for operation in spec.operations(DOCUMENT)}
    found = {}
    for name in ("createProduct", "createOrder", "getProduct"):
        given = operations[name].definition["parameters"]
        found[name] = parameter_validators([spec.dereference(DOCUMENT, parameter) for parameter in given])

    assert found["createProduct"][-1] is found["createOrder"][-1]
    assert found["getProduct"][-1] not in found["createOrder"]
