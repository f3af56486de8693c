"""Every code of openapi/errors.yaml is provoked over HTTP, and the response has the status that it names."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from inspect import getsource
from typing import Any

import httpx
import pytest

from app import spec
from app.context import now
from app.db import Database
from models import MAX_STOCK, Scope
from tests.http import test_bulk_products, test_edge, test_idempotency, test_system
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant, order_body

STATUSES = {code: entry["status"] for code, entry in spec.document()["x-error-codes"].items()}


@dataclass(frozen=True)
class ErrorSource:
    """A company with a client for its key, and a client for other keys."""

    client: Client
    anonymous: Client
    tenant: Tenant
    database: Database

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        return self.client.post(path, json=body, headers={} if key is None else {"Idempotency-Key": key})

    def post_content(self, content: str, media_type: str = "application/json") -> httpx.Response:
        return self.client.post("/customers", content=content, headers={"Content-Type": media_type})

    def get_with_key(self, key: str, path: str = "/products") -> httpx.Response:
        return self.anonymous.get(path, headers={"Authorization": f"Bearer {key}"})

    def key(self, **options: Any) -> str:
        return factories.api_key(self.database, self.tenant.company_id, **options)[1]

    def customer(self, **fields: Any) -> str:
        return factories.customer(self.database, self.tenant.company_id, **fields)

    def product(self, **fields: Any) -> str:
        return factories.product(self.database, self.tenant.company_id, **{"stock": 10, **fields})

    def order(self, product: str | None = None, quantity: int = 1, customer: str | None = None) -> httpx.Response:
        return self.post("/orders", order_body(customer or self.customer(), (product or self.product(), quantity)))

    def adjust(self, product: str | None = None, key: str | None = "key", **fields: Any) -> httpx.Response:
        path = f"/products/{product or self.product()}/inventory-adjustments"
        return self.post(path, {"reason": "OTHER", **fields}, key)

    def webhook(self, url: str = "https://example.com/") -> httpx.Response:
        return self.post("/webhooks", {"url": url, "events": ["order.created"]})


@pytest.fixture
def company(client: Client, anonymous: Client, tenant: Tenant, database: Database) -> ErrorSource:
    return ErrorSource(client, anonymous, tenant, database)


def exceed_the_rate_limit(company: ErrorSource) -> httpx.Response:
    key = company.key(rate_limit="1/minute")
    company.get_with_key(key)
    return company.get_with_key(key)


def reuse_an_idempotency_key(company: ErrorSource) -> httpx.Response:
    key = str(uuid.uuid4())
    company.post("/customers", {"email": "one@example.com"}, key)
    return company.post("/customers", {"email": "two@example.com"}, key)


def change_a_cancelled_order(company: ErrorSource) -> httpx.Response:
    path = f"/orders/{company.order().json()['data']['id']}"
    company.client.patch(path, json={"status": "CANCELLED"})
    return company.client.patch(path, json={"status": "SHIPPED"})


def ship(company: ErrorSource, status: str = "CONFIRMED", *bodies: Any) -> httpx.Response:
    path = f"/orders/{company.order().json()['data']['id']}"
    company.client.patch(path, json={"status": status})
    return [company.post(f"{path}/shipments", body) for body in bodies or [None]][-1]


def ship_too_many(company: ErrorSource) -> httpx.Response:
    order = company.order(company.product(stock=101), quantity=101).json()["data"]
    path, items = f"/orders/{order['id']}", [{"orderItemId": order["items"][0]["id"], "quantity": 1}]
    company.client.patch(path, json={"status": "CONFIRMED"})
    return [company.post(f"{path}/shipments", {"items": items}) for _ in range(101)][-1]


def ship_two_of_one(company: ErrorSource) -> httpx.Response:
    order = company.order().json()["data"]
    path, items = f"/orders/{order['id']}", [{"orderItemId": order["items"][0]["id"], "quantity": 2}]
    company.client.patch(path, json={"status": "CONFIRMED"})
    return company.post(f"{path}/shipments", {"items": items})


def return_of(
    company: ErrorSource, *, shipped: bool = True, order_id: str | None = None, quantity: int = 1
) -> httpx.Response:
    order = company.order().json()["data"]
    if shipped:
        company.client.patch(f"/orders/{order['id']}", json={"status": "CONFIRMED"})
        company.post(f"/orders/{order['id']}/shipments")
    items = [{"orderItemId": order["items"][0]["id"], "quantity": quantity}]
    return company.post("/returns", {"orderId": order_id or order["id"], "items": items})


def receive(company: ErrorSource, **quantities: Any) -> httpx.Response:
    """Receive a return of one unit with these quantities of its item, or of another item."""
    found = return_of(company).json()["data"]
    company.client.patch(f"/returns/{found['id']}", json={"status": "APPROVED"})
    item = {"returnItemId": found["items"][0]["id"], "receivedQuantity": 1, "restockQuantity": 0, **quantities}
    return company.post(f"/returns/{found['id']}/receive", {"items": [item]}, str(uuid.uuid4()))


def refund(company: ErrorSource, *bodies: Any) -> httpx.Response:
    """Receive a return of one unit, and send these refunds of it. Return the response to the last one."""
    found = receive(company).json()["data"]
    path = f"/returns/{found['id']}/refund"
    return [company.post(path, {"method": "CREDIT_NOTE", **body}, str(uuid.uuid4())) for body in bodies][-1]


def refund_less_than_the_shipping(company: ErrorSource) -> httpx.Response:
    factories.terms(company.database, company.tenant.company_id, shipping="5")
    return refund(company, {"amount": 4.99, "shipping": 5})


def void_twice(company: ErrorSource) -> httpx.Response:
    note = refund(company, {}).json()["data"]["creditNote"]
    return [company.post(f"/credit-notes/{note['id']}/void", {"reason": "A mistake."}) for _ in range(2)][-1]


def reject_twice(company: ErrorSource) -> httpx.Response:
    path = f"/returns/{return_of(company).json()['data']['id']}"
    return [company.client.patch(path, json={"status": "REJECTED"}) for _ in range(2)][-1]


def restock_without_cancelling(company: ErrorSource) -> httpx.Response:
    path = f"/orders/{company.order().json()['data']['id']}"
    return company.client.patch(path, json={"status": "CONFIRMED", "restock": True})


def use_an_email_twice(company: ErrorSource) -> httpx.Response:
    return [company.post("/customers", {"email": "same@example.com"}) for _ in range(2)][-1]


def use_a_code_twice(company: ErrorSource, name: str) -> httpx.Response:
    return [company.post("/products", {"name": "Same", "price": 1, name: "1"}) for _ in range(2)][-1]


def delete_an_ordered_product(company: ErrorSource) -> httpx.Response:
    product = company.product()
    company.order(product)
    return company.client.delete(f"/products/{product}")


def create_eleven_webhooks(company: ErrorSource) -> httpx.Response:
    return [company.webhook() for _ in range(11)][-1]


def rotate_a_secret_four_times(company: ErrorSource) -> httpx.Response:
    path = f"/webhooks/{company.webhook().json()['data']['id']}/rotate-secret"
    return [company.post(path) for _ in range(4)][-1]


def create_a_key(company: ErrorSource, caller: str, **fields: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {caller}"}
    body = {"name": "New", "scopes": ["keys:write"], **fields}
    return company.anonymous.post("/api-keys", json=body, headers=headers)


def create_a_key_too_many(company: ErrorSource) -> httpx.Response:
    for _ in range(99):
        company.key()
    return create_a_key(company, company.tenant.key)


def rotate_a_revoked_key(company: ErrorSource) -> httpx.Response:
    key_id, _ = factories.api_key(company.database, company.tenant.company_id, revoked_at=now())
    return company.post(f"/api-keys/{key_id}/rotate")


def rotate_a_key_with_a_higher_rate_limit(company: ErrorSource) -> httpx.Response:
    headers = {"Authorization": f"Bearer {company.key(rate_limit='60/minute')}"}
    return company.anonymous.post(f"/api-keys/{company.tenant.key_id}/rotate", headers=headers)


def sum_beyond_64_bits(company: ErrorSource) -> httpx.Response:
    factories.products(company.database, company.tenant.company_id, 1025, stock=2**53 - 1)
    return company.get("/reports/inventory")


PROVOCATIONS: dict[str, Callable[[ErrorSource], httpx.Response]] = {
    "malformed_request": lambda company: company.get("/products?search=%ff"),
    "invalid_json": lambda company: company.post_content("{"),
    "validation_failed": lambda company: company.post("/customers", {}),
    "authorization_missing": lambda company: company.anonymous.get("/products"),
    "key_invalid": lambda company: company.get_with_key("dk_unknown"),
    "scope_missing": lambda company: company.get_with_key(company.key(scopes=[Scope.ORDERS_READ])),
    "not_found": lambda company: company.get("/products/unknown"),
    "method_not_allowed": lambda company: company.client.delete("/products"),
    "not_acceptable": lambda company: company.get("/products", Accept="text/html"),
    "body_too_large": lambda company: company.post_content(json.dumps({"notes": "x" * 1_000_000})),
    "unsupported_media_type": lambda company: company.post_content("email=a@b.de", "application/x-www-form-urlencoded"),
    "idempotency_key_reused": reuse_an_idempotency_key,
    "precondition_failed": lambda company: company.client.patch(
        f"/products/{company.product()}", json={"name": "New"}, headers={"If-Match": '"stale"'}
    ),
    "customer_not_found": lambda company: company.order(customer="unknown"),
    "customer_blocked": lambda company: company.order(customer=company.customer(status="BLOCKED")),
    "product_not_found": lambda company: company.order("unknown"),
    "product_inactive": lambda company: company.order(company.product(is_active=False)),
    "insufficient_stock": lambda company: company.order(quantity=11),
    "quantity_not_allowed": lambda company: company.order(company.product(order_multiple=12)),
    "stock_changed": lambda company: company.adjust(delta=1, expectedStock=9),
    "stock_too_large": lambda company: company.adjust(company.product(stock=MAX_STOCK), delta=1),
    "idempotency_key_required": lambda company: company.adjust(key=None, delta=1),
    "order_total_too_large": lambda company: company.order(
        company.product(price=Decimal("9999999999.99"), stock=1_000_000), quantity=1_000_000
    ),
    "invalid_status_transition": change_a_cancelled_order,
    "restock_without_cancel": restock_without_cancelling,
    "order_not_shippable": lambda company: ship(company, "CANCELLED"),
    "nothing_to_ship": lambda company: ship(company, "CONFIRMED", None, None),
    "order_item_not_found": lambda company: ship(
        company, "CONFIRMED", {"items": [{"orderItemId": "unknown", "quantity": 1}]}
    ),
    "shipment_quantity_exceeded": ship_two_of_one,
    "shipment_limit_reached": ship_too_many,
    "order_not_found": lambda company: return_of(company, order_id="unknown"),
    "order_not_returnable": lambda company: return_of(company, shipped=False),
    "return_quantity_exceeded": lambda company: return_of(company, quantity=2),
    "invalid_return_transition": reject_twice,
    "return_item_not_found": lambda company: receive(company, returnItemId="unknown"),
    "receive_quantity_exceeded": lambda company: receive(company, receivedQuantity=2),
    "nothing_received": lambda company: receive(company, receivedQuantity=0),
    "refund_too_high": lambda company: refund(company, {"amount": 8.51}),
    "refund_shipping_too_high": lambda company: refund(company, {"shipping": 0.01}),
    "amount_below_shipping": refund_less_than_the_shipping,
    "credit_note_void": void_twice,
    "email_taken": use_an_email_twice,
    "sku_taken": lambda company: use_a_code_twice(company, "sku"),
    "external_id_taken": lambda company: use_a_code_twice(company, "externalId"),
    "product_in_use": delete_an_ordered_product,
    "webhook_limit_reached": create_eleven_webhooks,
    "rotation_limit_reached": rotate_a_secret_four_times,
    "destination_not_allowed": lambda company: company.webhook("https://127.0.0.1/"),
    "scope_too_wide": lambda company: create_a_key(
        company, company.key(scopes=[Scope.KEYS_WRITE]), scopes=["keys:read"]
    ),
    "expiry_too_late": lambda company: create_a_key(company, company.key(expires_at=now() + timedelta(hours=1))),
    "network_too_wide": lambda company: create_a_key(company, company.key(allowed_networks=["127.0.0.0/8"])),
    "rate_limit_too_high": rotate_a_key_with_a_higher_rate_limit,
    "key_limit_reached": create_a_key_too_many,
    "key_not_active": rotate_a_revoked_key,
    "figures_too_large": sum_beyond_64_bits,
    "rate_limited": exceed_the_rate_limit,
    "bulk_refused": lambda company: company.post("/bulk/products", {"items": [{}]}, "bulk"),
}
# These need a separate server, a raw connection, or a handler that fails.
PROVOKED_BY: dict[str, Callable[..., None]] = {
    "body_timeout": test_edge.TestJson.test_a_body_that_never_ends_is_408,
    "database_unavailable": test_system.TestHealth.test_a_lost_database_is_503_until_it_returns,
    "idempotency_key_in_use": test_idempotency.TestConcurrentRequests.test_a_duplicate_of_a_running_request_is_409,
    "duplicate_item": test_bulk_products.TestDuplicates.test_a_second_item_for_the_same_product_is_an_error,
    "internal_error": test_edge.TestBugs.test_a_bug_is_a_plain_500,
    "not_ready": test_system.TestHealth.test_a_lost_database_is_503_until_it_returns,
}


def test_every_documented_code_is_provoked() -> None:
    assert sorted([*PROVOCATIONS, *PROVOKED_BY]) == sorted(STATUSES)


@pytest.mark.parametrize("code", PROVOCATIONS)
def test_a_provoked_error_has_the_documented_code_and_status(company: ErrorSource, code: str) -> None:
    response = PROVOCATIONS[code](company)

    assert (response.status_code, response.json()["code"]) == (STATUSES[code], code)


@pytest.mark.parametrize("code", PROVOKED_BY)
def test_the_test_of_another_module_asserts_the_code(code: str) -> None:
    source = getsource(PROVOKED_BY[code])

    assert f'"{code}"' in source
    assert str(STATUSES[code]) in source
