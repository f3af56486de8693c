"""Every example of a request body succeeds with the demo company, and its response has the members of the example.

The requests are one story, in an order in which each can succeed: an order that is shipped is returned, a return that
is approved is received. Ids in paths are those of the examples, or of what an earlier request made.
"""

import json
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

ORDER, CUSTOMER, PRODUCT = (spec.example(name)["data"]["id"] for name in ("Order", "Customer", "Product"))
OPERATIONS = {operation.id: operation for operation in PUBLISHED}
BY_SKU = {"upsertProduct": {"sku": "FLR-SW-16"}}  # the query of an operation that requires one


class Step(NamedTuple):
    """A request with an example as its body. `ids` are those in the path; `made` names the id in the response."""

    operation: str
    example: str
    ids: dict[str, str] = {}  # noqa: RUF012 - never changed
    made: str = ""


PRODUCT_ID, CUSTOMER_ID, ORDER_ID = {"productId": PRODUCT}, {"customerId": CUSTOMER}, {"orderId": ORDER}
STORY = (
    Step("createInventoryAdjustment", "InventoryCountCreate", PRODUCT_ID),
    Step("createInventoryAdjustment", "InventoryAdjustmentCreate", PRODUCT_ID),
    Step("createInventoryAdjustments", "BulkInventoryAdjustmentsCreate"),
    Step("previewOrder", "OrderCreate"),
    Step("previewOrder", "OrderCreateBySku"),
    Step("previewOrder", "MinimalOrderCreate"),
    Step("createOrder", "OrderCreate", made="confirmed"),
    Step("createOrder", "OrderCreateBySku", made="cancelled"),
    Step("createOrder", "MinimalOrderCreate", made="complete"),
    Step("updateOrderStatus", "OrderConfirmation", {"orderId": "confirmed"}),
    Step("updateOrderStatus", "OrderCancellation", {"orderId": "cancelled"}),
    Step("updateOrderStatus", "OrderConfirmation", {"orderId": "complete"}),
    Step("createShipment", "CompleteShipmentCreate", {"orderId": "complete"}),
    Step("createShipment", "ShipmentCreate", ORDER_ID, made="shipment"),
    Step("updateShipment", "ShipmentUpdate", {**ORDER_ID, "shipmentId": "shipment"}),
    Step("createReturn", "ReturnCreate", made="return"),
    Step("createReturn", "MinimalReturnCreate", made="second return"),
    Step("createReturn", "MinimalReturnCreate", made="rejected return"),
    Step("updateReturn", "ReturnApproval", {"returnId": "return"}),
    Step("updateReturn", "ReturnApproval", {"returnId": "second return"}),
    Step("updateReturn", "ReturnRejection", {"returnId": "rejected return"}),
    Step("receiveReturn", "ReturnReceive", {"returnId": "return"}),
    Step("receiveReturn", "CompleteReturnReceive", {"returnId": "second return"}),
    Step("refundReturn", "RefundDryRun", {"returnId": "return"}),
    Step("refundReturn", "RefundCreate", {"returnId": "return"}, made="credit note"),
    Step("refundReturn", "ManualRefundCreate", {"returnId": "second return"}),
    Step("voidCreditNote", "CreditNoteVoid", {"creditNoteId": "credit note"}),
    Step("upsertCustomerPrice", "PriceOverrideUpsert", {**CUSTOMER_ID, **PRODUCT_ID}),
    Step("upsertCustomerPrice", "MinimalPriceOverrideUpsert", {**CUSTOMER_ID, **PRODUCT_ID}),
    Step("upsertPrices", "BulkPricesUpsert"),
    Step("createProduct", "ProductCreate"),
    Step("createProduct", "MinimalProductCreate"),
    Step("upsertProduct", "ProductUpsert"),
    Step("updateProduct", "ProductUpdate", PRODUCT_ID),
    Step("upsertProducts", "BulkProductsUpsert"),
    Step("createCustomer", "CustomerCreate"),
    Step("createCustomer", "MinimalCustomerCreate"),
    Step("updateCustomer", "CustomerUpdate", CUSTOMER_ID),
    Step("createWebhook", "WebhookCreate", made="webhook"),
    Step("recoverWebhook", "WebhookRecover", {"webhookId": "webhook"}),
    Step("rotateWebhookSecret", "WebhookSecretRotate", {"webhookId": "webhook"}),
    Step("updateWebhook", "WebhookUpdate", {"webhookId": "webhook"}),
    Step("createApiKey", "ApiKeyCreate", made="key"),
    Step("createApiKey", "MinimalApiKeyCreate"),
    Step("rotateApiKey", "ApiKeyRotate", {"keyId": "key"}),
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

        assert response.is_success, f"{step}: {response.text}"
        received = _shape(response.json())
        shown = _shown(OPERATIONS[step.operation], response.status_code)
        assert any(_fits(received, shape) for shape in shown), f"{step}: {response.text} is like none of {shown}"
        if step.made:
            data = response.json()["data"]
            made[step.made] = (data.get("creditNote") or data)["id"]


def _send(demo: Client, step: Step, made: dict[str, str]) -> httpx.Response:
    operation = OPERATIONS[step.operation]
    path = operation.path.format_map({name: made.get(id_, id_) for name, id_ in step.ids.items()})
    body = json.loads(json.dumps(spec.example(step.example)))
    if step.example == "ReturnReceive":  # the items of a return get their ids when it is created
        items = demo.get(f"/returns/{made['return']}").json()["data"]["items"]
        body["items"] = [{**item, "returnItemId": own["id"]} for item, own in zip(body["items"], items, strict=True)]
    headers = {} if operation.is_read_only else {"Idempotency-Key": str(uuid.uuid4())}
    return demo.request(operation.method, path, json=body, headers=headers, params=BY_SKU.get(operation.id))


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
