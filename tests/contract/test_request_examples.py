"""Every example of a request succeeds with the demo company, and its response has the members of the example.

With the examples of its parameters and the first one of its body, an operation succeeds whatever other operations did
before. All examples of bodies are one story, in an order in which each can succeed: an order that is shipped is
returned, a return that is approved is received.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from app import spec
from app.context import now
from app.db import Database
from app.demo import company as demo_company
from app.spec import Document, Operation
from models import Scope
from tests.contract.test_document import DOCUMENT, PUBLISHED
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import Server

OPERATIONS = {operation.id: operation for operation in PUBLISHED}


class StoryStep(NamedTuple):
    """A request with an example as its body. `made` names the id in its response.

    `ids` are those in the path that an earlier request made, by their names; the others are examples of parameters.
    """

    operation: str
    example: str
    ids: dict[str, str] = {}  # noqa: RUF012 - never changed
    made: str = ""


STORY = (
    StoryStep("createInventoryAdjustment", "InventoryCountCreate"),
    StoryStep("createInventoryAdjustment", "InventoryAdjustmentCreate"),
    StoryStep("createInventoryAdjustments", "BulkInventoryAdjustmentsCreate"),
    StoryStep("previewOrder", "OrderCreate"),
    StoryStep("previewOrder", "OrderCreateBySku"),
    StoryStep("previewOrder", "MinimalOrderCreate"),
    StoryStep("createOrder", "OrderCreate", made="confirmed"),
    StoryStep("createOrder", "OrderCreateBySku", made="cancelled"),
    StoryStep("createOrder", "MinimalOrderCreate", made="complete"),
    StoryStep("updateOrderStatus", "OrderConfirmation", {"orderId": "confirmed"}),
    StoryStep("updateOrderStatus", "OrderCancellation", {"orderId": "cancelled"}),
    StoryStep("updateOrderStatus", "OrderConfirmation", {"orderId": "complete"}),
    StoryStep("createShipment", "CompleteShipmentCreate", {"orderId": "complete"}),
    StoryStep("createShipment", "ShipmentCreate"),
    StoryStep("updateShipment", "ShipmentUpdate"),
    StoryStep("createReturn", "ReturnCreate", made="rejected return"),
    StoryStep("updateReturn", "ReturnRejection", {"returnId": "rejected return"}),
    StoryStep("createReturn", "MinimalReturnCreate", made="return"),
    StoryStep("updateReturn", "ReturnApproval", {"returnId": "return"}),
    StoryStep("receiveReturn", "CompleteReturnReceive", {"returnId": "return"}),
    StoryStep("receiveReturn", "ReturnReceive"),
    StoryStep("refundReturn", "RefundDryRun"),
    StoryStep("refundReturn", "RefundCreate", made="credit note"),
    StoryStep("refundReturn", "ManualRefundCreate", {"returnId": "return"}),
    StoryStep("voidCreditNote", "CreditNoteVoid", {"creditNoteId": "credit note"}),
    StoryStep("upsertCustomerPrice", "PriceOverrideUpsert"),
    StoryStep("upsertCustomerPrice", "MinimalPriceOverrideUpsert"),
    StoryStep("upsertPrices", "BulkPricesUpsert"),
    StoryStep("createProduct", "ProductCreate"),
    StoryStep("createProduct", "MinimalProductCreate"),
    StoryStep("upsertProduct", "ProductUpsert"),
    StoryStep("updateProduct", "ProductUpdate"),
    StoryStep("upsertProducts", "BulkProductsUpsert"),
    StoryStep("createCustomer", "CustomerCreate"),
    StoryStep("createCustomer", "MinimalCustomerCreate"),
    StoryStep("updateCustomer", "CustomerUpdate"),
    StoryStep("createWebhook", "WebhookCreate", made="webhook"),
    StoryStep("recoverWebhook", "WebhookRecover", {"webhookId": "webhook"}),
    StoryStep("rotateWebhookSecret", "WebhookSecretRotate", {"webhookId": "webhook"}),
    StoryStep("updateWebhook", "WebhookUpdate", {"webhookId": "webhook"}),
    StoryStep("createApiKey", "ApiKeyCreate", made="key"),
    StoryStep("createApiKey", "MinimalApiKeyCreate"),
    StoryStep("rotateApiKey", "ApiKeyRotate", {"keyId": "key"}),
)


@pytest.fixture
def demo(database_url: str, fresh_database: Database, tmp_path: Path) -> Iterator[Client]:
    """Return a client of the demo company."""
    with fresh_database.transaction(write=True) as session:
        company = demo_company.create_company(session, now=now())
        session.flush()
        demo_company.fill(factories.context(session, company.id))
        company_id = company.id
    _, key = factories.api_key(fresh_database, company_id, scopes=list(Scope), rate_limit="1000/minute")
    with (
        Server(database_url, tmp_path / "log", "--no-worker") as server,
        Client(server.url, key, Contract(DOCUMENT)) as client,
    ):
        yield client


def test_the_story_has_every_example_of_a_request() -> None:
    assert {(step.operation, step.example) for step in STORY} == {
        (operation.id, name) for operation in PUBLISHED for name in _examples(operation.definition.get("requestBody"))
    }


def test_every_example_of_a_request_succeeds_with_the_demo_company(demo: Client) -> None:
    made: dict[str, str] = {}
    for step in STORY:
        response = _send(demo, step, made)

        _check(OPERATIONS[step.operation], response)
        if step.made:
            data = response.json()["data"]
            made[step.made] = (data.get("creditNote") or data)["id"]


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_every_operation_succeeds_with_its_first_examples(demo: Client, order: str) -> None:
    for operation in PUBLISHED if order == "forwards" else reversed(PUBLISHED):
        example = next(iter(_examples(operation.definition.get("requestBody"))), "")

        response = _send(demo, StoryStep(operation.id, example), {})

        assert response.is_success, f"{operation.id}: {response.text}"
        if operation.method != "GET":  # what is read depends on what other operations did
            _check(operation, response)


def _send(demo: Client, step: StoryStep, made: dict[str, str]) -> httpx.Response:
    operation = OPERATIONS[step.operation]
    ids = {name: made[id_] for name, id_ in step.ids.items()}
    path = operation.path.format_map({**_parameters(operation, "path"), **ids})
    body = spec.example(step.example) if step.example else None
    headers = {} if operation.is_read_only else {"Idempotency-Key": str(uuid.uuid4())}
    return demo.request(operation.method, path, json=body, headers=headers, params=_parameters(operation, "query"))


def _parameters(operation: Operation, place: str) -> dict[str, str]:
    """Return the examples of the parameters of an operation."""
    found = [spec.resolve(DOCUMENT, reference) for reference in operation.definition.get("parameters", ())]
    return {entry["name"]: entry["example"] for entry in found if entry["in"] == place and "example" in entry}


def _check(operation: Operation, response: httpx.Response) -> None:
    """Check that a request succeeded, and that its response is like one of the examples."""
    assert response.is_success, f"{operation.id}: {response.text}"
    shown = _shown(operation, response.status_code)
    received = _shape(response.json())
    assert any(_fits(received, shape) for shape in shown), f"{operation.id}: {response.text} is like none of {shown}"


def _examples(part: Document | None) -> Document:
    content = spec.resolve(DOCUMENT, part or {}).get("content", {})
    return dict(content.get("application/json", {}).get("examples", {}))


def _shown(operation: Operation, status: int) -> list[Any]:
    """Return the shapes of the examples of a response."""
    examples = _examples(operation.definition["responses"][str(status)]).values()
    return [_shape(spec.resolve(DOCUMENT, example)["value"]) for example in examples]


def _shape(value: Any) -> Any:
    """Return the names of all members, and the shape of the items of lists; None for a value."""
    if isinstance(value, dict):
        return {name: _shape(member) for name, member in value.items()}
    return [_shape(item) for item in value] if isinstance(value, list) else None


def _fits(received: Any, shown: Any) -> bool:
    """Return whether a response has the members of an example. Null and lists fit any number of items."""
    if isinstance(received, dict) and isinstance(shown, dict):
        return received.keys() == shown.keys() and all(_fits(received[name], shown[name]) for name in received)
    if isinstance(received, list) and isinstance(shown, list):
        return not shown or all(any(_fits(item, one) for one in shown) for item in received)
    return True
