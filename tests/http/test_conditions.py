"""Conditional requests: ETag, If-None-Match and If-Match (contract, section 9.2)."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import spec
from app.context import now
from app.db import Database
from app.http import dispatch
from app.services import versions
from models import ApiKey, Customer, Delivery, Order, PriceOverride, Product, Return, Scope, Shipment, Webhook
from models.base import Base
from tests.support import factories, waiting
from tests.support.client import Client, Contract
from tests.support.factories import Tenant, order_body
from tests.support.servers import Server

OPERATIONS = {operation.id: operation for operation in spec.operations(spec.document())}
SINGLE = [operation for operation in OPERATIONS.values() if operation.method == "GET" and operation.path.endswith("}")]
EMAIL = "anna@example.com"
STALE = '"000000000000000000000000"'
MALFORMED = ["", "abc", '"abc', 'abc"', '"a b"', "*,", f'{STALE} "b"', f"*, {STALE}", f"{STALE}, *", "W/", '""x']
WEAK = [f"W/{STALE}", f'{STALE}, W/"b"']


@dataclass
class ResourceShop:
    """One resource of each kind, with the ids in their paths by parameter."""

    client: Client
    database: Database
    tenant: Tenant
    ids: dict[str, str] = field(default_factory=dict)

    def path(self, operation_id: str) -> str:
        """Return the path of the resource of an operation."""
        if operation_id == "upsertProduct":
            return f"/products?sku={self.ids['sku']}"
        shipped = {"orderId": self.ids["shippedOrderId"]} if "shipmentId" in OPERATIONS[operation_id].path else {}
        return OPERATIONS[operation_id].path.format(**{**self.ids, **shipped})

    def tag(self, operation_id: str) -> str:
        """Return the current tag of the resource that an operation reads."""
        response = self.client.get(self.path(operation_id))
        assert response.status_code == 200, response.text
        return str(response.headers["ETag"])

    def update(self, model: type[Base], row_id: str, **values: object) -> None:
        """Change columns without the server."""
        with self.database.transaction(write=True) as session:
            session.execute(sa.update(model).where(model.id == row_id).values(**values))


@pytest.fixture
def shop(client: Client, database: Database, tenant: Tenant) -> ResourceShop:
    """Return a company with a resource of each kind."""
    return create(client, database, tenant)


@pytest.fixture(scope="module")
def kept_shop(server: Server, database: Database, contract: Contract) -> Iterator[ResourceShop]:
    """Create one shop for all tests that change nothing. Its product may be deleted."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        shop = with_unsold_product(create(client, database, tenant))
        log = client.get("/audit-log").json()
        yield shop
        assert client.get("/audit-log").json() == log


@pytest.fixture
def unchanged(kept_shop: ResourceShop) -> ResourceShop:
    """Return the shop of all tests that change nothing, with ids that the test may change."""
    return replace(kept_shop, ids={**kept_shop.ids})


def create(client: Client, database: Database, tenant: Tenant) -> ResourceShop:
    """Create a resource of each kind."""
    rye = {"name": "Rye", "sku": "R-1", "price": 8.5, "stock": 50}
    product = client.post("/products", json=rye).json()["data"]["id"]
    customer = client.post("/customers", json={"email": EMAIL, "name": "Anna"}).json()["data"]["id"]
    client.put(f"/customers/{customer}/prices/{product}", json={"price": 7})
    order = client.post("/orders", json=order_body(customer, (product, 2))).json()["data"]["id"]
    shipped, shipment = _shipped(client, customer)
    returned, returned_order = _returned(client, customer)
    note = _credit_note(client, returned_order)
    webhook = client.post("/webhooks", json={"url": "https://example.com/hook", "events": ["order.created"]})
    webhook_id = webhook.json()["data"]["id"]
    delivery = client.post(f"/webhooks/{webhook_id}/test").json()["data"]["id"]
    key = client.post("/api-keys", json={"name": "Shop", "scopes": ["orders:read"]}).json()["data"]["id"]
    ids = {
        "keyId": key,
        "productId": product,
        "sku": "R-1",
        "customerId": customer,
        "orderId": order,
        "shippedOrderId": shipped,
        "shipmentId": shipment,
        "returnId": returned["id"],
        "creditNoteId": note["id"],
        "refundedReturnId": note["returnId"],
        "returnedOrderId": returned_order["id"],
        "returnedOrderItemId": returned_order["items"][0]["id"],
        "returnedProductId": returned_order["items"][0]["productId"],
        "webhookId": webhook_id,
        "deliveryId": delivery,
        "movementId": client.get("/inventory-movements").json()["data"][0]["id"],
        "eventId": client.get("/events").json()["data"][0]["id"],
        "entryId": client.get("/audit-log").json()["data"][0]["id"],
    }
    return ResourceShop(client, database, tenant, ids)


def _shipped(client: Client, customer: str) -> tuple[str, str]:
    """Return an order of another product of which one of two units has been shipped, and the shipment."""
    malt = client.post("/products", json={"name": "Malt", "sku": "M-1", "price": 3, "stock": 9}).json()["data"]["id"]
    order = client.post("/orders", json=order_body(customer, (malt, 2))).json()["data"]
    client.patch(f"/orders/{order['id']}", json={"status": "CONFIRMED"})
    body = {"items": [{"orderItemId": order["items"][0]["id"], "quantity": 1}]}
    shipment = client.post(f"/orders/{order['id']}/shipments", json=body).json()["data"]["id"]
    return order["id"], shipment


def _returned(client: Client, customer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a return of one of nine units of another product, and its order."""
    oats = client.post("/products", json={"name": "Oats", "price": 3, "stock": 9}).json()["data"]["id"]
    order = client.post("/orders", json=order_body(customer, (oats, 9))).json()["data"]
    for status in ("CONFIRMED", "SHIPPED"):
        client.patch(f"/orders/{order['id']}", json={"status": status})
    body = {"orderId": order["id"], "items": [{"orderItemId": order["items"][0]["id"], "quantity": 1}]}
    return client.post("/returns", json=body).json()["data"], order


def _credit_note(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    """Return the credit note of another return of an order."""
    body = {"orderId": order["id"], "items": [{"orderItemId": order["items"][0]["id"], "quantity": 1}]}
    path = f"/returns/{client.post('/returns', json=body).json()['data']['id']}"
    client.patch(path, json={"status": "APPROVED"})
    client.post(f"{path}/receive", headers={"Idempotency-Key": path})
    refund = client.post(f"{path}/refund", json={"method": "CREDIT_NOTE"}, headers={"Idempotency-Key": path})
    return dict(refund.json()["data"]["creditNote"])


READS = pytest.mark.parametrize("operation_id", [operation.id for operation in SINGLE])


class TestDocument:
    def test_every_single_resource_has_a_version_and_declares_its_tag(self) -> None:
        parameters = {
            operation.id: [p.get("$ref", "").rpartition("/")[2] for p in operation.definition["parameters"]]
            for operation in SINGLE
        }

        assert [name for name, found in parameters.items() if "IfNoneMatch" not in found] == []
        assert [operation.id for operation in SINGLE if "304" not in operation.definition["responses"]] == []
        assert [operation.id for operation in SINGLE if "ETag" not in _headers(operation, "200")] == []

    def test_every_write_of_a_single_resource_declares_its_conditions(self) -> None:
        writes = [operation for operation in OPERATIONS.values() if operation.method in {"PATCH", "PUT", "DELETE"}]
        parameters = {
            operation.id: {p.get("$ref", "").rpartition("/")[2] for p in operation.definition["parameters"]}
            for operation in writes
        }

        assert writes
        assert [name for name, found in parameters.items() if "IfMatch" not in found] == []
        assert [operation.id for operation in writes if "412" not in operation.definition["responses"]] == []
        puts = {operation.id for operation in writes if operation.method == "PUT"}
        assert {name for name, found in parameters.items() if "IfNoneMatchAny" in found} == puts

    @READS
    def test_every_single_resource_has_a_version(self, operation_id: str) -> None:
        handlers = dispatch.find_handlers([OPERATIONS[operation_id]], "handlers")

        assert versions.find(handlers[operation_id]) is not None


def _headers(operation: spec.Operation, status: str) -> dict[str, Any]:
    headers: dict[str, Any] = operation.definition["responses"][status]["headers"]
    return headers


class TestIfNoneMatch:
    @READS
    def test_the_current_tag_is_a_304(self, unchanged: ResourceShop, operation_id: str) -> None:
        tag = unchanged.tag(operation_id)

        response = unchanged.client.get(unchanged.path(operation_id), headers={"If-None-Match": tag})

        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == tag
        assert {"ratelimit", "ratelimit-policy", "x-request-id"} <= set(response.headers)
        assert "content-type" not in response.headers

    @READS
    @pytest.mark.parametrize("given", ["*", "W/{tag}", '"a", {tag}', '{tag},"a"', ',,W/"a" , {tag} ,'])
    def test_each_form_that_names_the_current_tag(self, unchanged: ResourceShop, operation_id: str, given: str) -> None:
        headers = {"If-None-Match": given.format(tag=unchanged.tag(operation_id))}

        assert unchanged.client.get(unchanged.path(operation_id), headers=headers).status_code == 304
        assert unchanged.client.head(unchanged.path(operation_id), headers=headers).status_code == 304

    @pytest.mark.parametrize("given", [STALE, *WEAK, *MALFORMED, "{bare}", '"{bare}', '{tag} "a"'])
    def test_what_does_not_name_the_current_tag_gets_the_resource(self, unchanged: ResourceShop, given: str) -> None:
        tag = unchanged.tag("getProduct")
        headers = {"If-None-Match": given.format(tag=tag, bare=tag.strip('"'))}

        response = unchanged.client.get(unchanged.path("getProduct"), headers=headers)

        assert (response.status_code, response.headers["ETag"]) == (200, tag)

    def test_several_lines_are_one_list(self, unchanged: ResourceShop) -> None:
        lines = [("If-None-Match", STALE), ("If-None-Match", unchanged.tag("getProduct"))]

        assert unchanged.client.get(unchanged.path("getProduct"), headers=lines).status_code == 304

    @READS
    def test_the_resource_of_another_company_and_an_unknown_one_are_404(
        self, unchanged: ResourceShop, server: Server, contract: Contract, operation_id: str
    ) -> None:
        other = factories.tenant(unchanged.database)
        with Client(server.url, other.key, contract) as client:
            assert client.get(unchanged.path(operation_id), headers={"If-None-Match": "*"}).status_code == 404
        unknown = ResourceShop(
            unchanged.client, unchanged.database, unchanged.tenant, dict.fromkeys(unchanged.ids, "c" + "0" * 24)
        )
        assert unchanged.client.get(unknown.path(operation_id), headers={"If-None-Match": "*"}).status_code == 404

    def test_a_deleted_resource_is_404(self, shop: ResourceShop) -> None:
        shop.client.delete(shop.path("getWebhook"))

        for operation_id in ("getWebhook", "getWebhookDelivery"):
            assert shop.client.get(shop.path(operation_id), headers={"If-None-Match": "*"}).status_code == 404

    def test_the_request_is_checked_first(self, shop: ResourceShop, server: Server, contract: Contract) -> None:
        _, key = factories.api_key(shop.database, shop.tenant.company_id, scopes=[Scope.ORDERS_READ])
        headers = {"If-None-Match": "*"}

        with Client(server.url, key, contract) as client:
            assert client.get(shop.path("getProduct"), headers=headers).status_code == 403
        assert shop.client.get(shop.path("getProduct") + "?x=1", headers=headers).status_code == 400
        assert shop.client.get(shop.path("getProduct"), headers=headers | {"Accept": "text/csv"}).status_code == 406
        too_long = {"If-None-Match": ",".join([STALE] * 304) + ",,"}
        assert len(too_long["If-None-Match"]) == 8209
        assert shop.client.get(shop.path("getProduct"), headers=too_long).status_code == 400

    def test_a_304_counts_as_a_request_and_as_a_use_of_the_key(
        self, shop: ResourceShop, server: Server, contract: Contract
    ) -> None:
        key_id, key = factories.api_key(shop.database, shop.tenant.company_id, rate_limit="2/minute")

        with Client(server.url, key, contract) as client:
            found = [client.get(shop.path("getProduct"), headers={"If-None-Match": "*"}) for _ in range(3)]

        assert [response.status_code for response in found] == [304, 304, 429]
        assert found[1].headers["RateLimit"].startswith('"default";r=0;')
        waiting.eventually(lambda: _last_use(shop.database, key_id), "the use of the key is written")

    def test_a_list_has_no_tag(self, unchanged: ResourceShop) -> None:
        response = unchanged.client.get("/products", headers={"If-None-Match": "*"})

        assert response.status_code == 200
        assert "ETag" not in response.headers


def _last_use(database: Database, key_id: str) -> object:
    with database.transaction() as session:
        return session.scalar(sa.text("SELECT last_used_at FROM api_keys WHERE id = :id"), {"id": key_id})


WRITES: dict[str, tuple[str, dict[str, Any] | None]] = {  # by operation: what reads the resource, and a valid body
    "updateProduct": ("getProduct", {"name": "Spelt"}),
    "upsertProduct": ("getProduct", {"name": "Spelt", "price": 1}),
    "updateCustomer": ("getCustomer", {"name": "Berta"}),
    "updateOrderStatus": ("getOrder", {"status": "CONFIRMED"}),
    "updateShipment": ("getShipment", {"carrier": "Northway"}),
    "updateReturn": ("getReturn", {"status": "APPROVED"}),
    "upsertCustomerPrice": ("getCustomerPrice", {"price": 6}),
    "deleteCustomerPrice": ("getCustomerPrice", None),
    "updateWebhook": ("getWebhook", {"isActive": False}),
    "deleteWebhook": ("getWebhook", None),
    "deleteProduct": ("getProduct", None),
    "revokeApiKey": ("getApiKey", None),
}
CONDITIONAL = [operation.id for operation in OPERATIONS.values() if operation.method in {"PATCH", "PUT", "DELETE"}]
EACH_WRITE = pytest.mark.parametrize("operation_id", CONDITIONAL)


def write(shop: ResourceShop, operation_id: str, body: object = NotImplemented, **headers: str) -> Any:
    """Send the valid request of an operation with headers, whose names have underscores."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    content = WRITES[operation_id][1] if body is NotImplemented else body
    return shop.client.request(OPERATIONS[operation_id].method, shop.path(operation_id), headers=sent, json=content)


@pytest.fixture
def unsold(shop: ResourceShop) -> ResourceShop:
    """Return the shop with a product that may be deleted."""
    return with_unsold_product(shop)


def with_unsold_product(shop: ResourceShop) -> ResourceShop:
    """Create a product that may be deleted."""
    product = shop.client.post("/products", json={"name": "Oats", "sku": "O-1", "price": 3}).json()["data"]["id"]
    shop.client.put(f"/customers/{shop.ids['customerId']}/prices/{product}", json={"price": 2})
    shop.ids |= {"productId": product, "sku": "O-1"}
    return shop


class TestIfMatch:
    def test_every_write_is_tested_here(self) -> None:
        assert set(CONDITIONAL) == set(WRITES)

    @EACH_WRITE
    @pytest.mark.parametrize("given", ["{tag}", "*", '"a", {tag}', ',{tag} ,"b",'])
    def test_a_current_tag_allows_the_write(self, unsold: ResourceShop, operation_id: str, given: str) -> None:
        tag = unsold.tag(WRITES[operation_id][0])

        response = write(unsold, operation_id, If_Match=given.format(tag=tag))

        assert response.status_code == 200, response.text
        assert response.headers.get("ETag") != tag

    @EACH_WRITE
    def test_a_stale_tag_is_refused_and_nothing_happens(self, unchanged: ResourceShop, operation_id: str) -> None:
        tag = unchanged.tag(WRITES[operation_id][0])
        log = unchanged.client.get("/audit-log").json()

        response = write(unchanged, operation_id, If_Match=f'{STALE}, "b"')

        assert response.status_code == 412
        message = "The resource has changed: If-Match does not have its current tag. Read it and decide again."
        detail = {"pointer": "/header/If-Match", "code": "precondition_failed", "message": message}
        assert response.json() == {"error": message, "code": "precondition_failed", "details": [detail]}
        assert "ETag" not in response.headers
        assert unchanged.tag(WRITES[operation_id][0]) == tag
        assert unchanged.client.get("/audit-log").json() == log

    @EACH_WRITE
    @pytest.mark.parametrize("given", [*WEAK, *MALFORMED])
    def test_a_weak_or_malformed_tag_is_invalid(self, unchanged: ResourceShop, operation_id: str, given: str) -> None:
        tag = unchanged.tag(WRITES[operation_id][0])

        response = write(unchanged, operation_id, If_Match=given)

        assert response.status_code == 400
        message = "If-Match must be * or a list of strong entity tags in double quotes, as in ETag"
        assert response.json()["details"] == [{"pointer": "/header/If-Match", "message": message}]
        assert unchanged.tag(WRITES[operation_id][0]) == tag

    def test_several_lines_are_one_list(self, unsold: ResourceShop) -> None:
        tag, url = unsold.tag("getProduct"), unsold.path("updateProduct")

        mixed = [("If-Match", tag), ("If-Match", 'W/"a"')]
        assert unsold.client.patch(url, json={"name": "A"}, headers=mixed).status_code == 400
        lines = [("If-Match", STALE), ("If-Match", tag)]
        assert unsold.client.patch(url, json={"name": "A"}, headers=lines).status_code == 200

    @pytest.mark.parametrize("operation_id", [name for name in CONDITIONAL if name != "upsertProduct"])
    def test_existence_comes_first(self, unchanged: ResourceShop, operation_id: str) -> None:
        unchanged.ids = dict.fromkeys(unchanged.ids, "c" + "0" * 24)

        assert write(unchanged, operation_id, If_Match=STALE).status_code == 404

    @pytest.mark.parametrize("given", ["*", STALE])
    @pytest.mark.parametrize("operation_id", ["upsertProduct", "upsertCustomerPrice"])
    def test_a_put_with_if_match_does_not_create(self, unsold: ResourceShop, operation_id: str, given: str) -> None:
        unsold.client.delete(unsold.path("deleteCustomerPrice"))
        unsold.ids["sku"] = "NEW"

        response = write(unsold, operation_id, If_Match=given)

        assert response.status_code == 412
        assert response.json()["error"].startswith("The resource does not exist, and If-Match only changes.")

    @pytest.mark.parametrize(
        ("operation_id", "body", "status"),
        [
            ("deleteProduct", None, 422),
            ("updateOrderStatus", {"status": "DELIVERED"}, 422),
            ("updateProduct", {"sku": "O-1"}, 422),
            ("updateCustomer", {"email": "taken@example.com"}, 422),
            ("updateWebhook", {"url": "http://127.0.0.1/x"}, 422),
            ("upsertProduct", {"name": "Rye", "price": 1, "stock": 1}, 400),  # it depends on what is stored
        ],
    )
    def test_the_precondition_comes_before_the_business_rules(
        self, shop: ResourceShop, operation_id: str, body: dict[str, Any] | None, status: int
    ) -> None:
        shop.client.post("/products", json={"name": "Oats", "sku": "O-1", "price": 3})
        shop.client.post("/customers", json={"email": "taken@example.com"})

        assert write(shop, operation_id, body, If_Match=STALE).status_code == 412
        assert write(shop, operation_id, body, If_Match=shop.tag(WRITES[operation_id][0])).status_code == status

    def test_the_body_is_validated_first(self, unchanged: ResourceShop) -> None:
        assert write(unchanged, "updateProduct", {}, If_Match=STALE).status_code == 400

    def test_a_change_of_nothing_needs_the_current_tag_and_keeps_it(self, shop: ResourceShop) -> None:
        tag = shop.tag("getProduct")

        assert write(shop, "updateProduct", {"name": "Rye"}, If_Match=STALE).status_code == 412
        response = write(shop, "updateProduct", {"name": "Rye"}, If_Match=tag)
        assert (response.status_code, response.headers["ETag"]) == (200, tag)

    def test_a_failed_precondition_is_not_stored(self, shop: ResourceShop) -> None:
        key = {"Idempotency_Key": "one"}
        assert write(shop, "updateProduct", If_Match=STALE, **key).status_code == 412

        response = write(shop, "updateProduct", If_Match=shop.tag("getProduct"), **key)

        assert response.status_code == 200
        assert "Idempotency-Replayed" not in response.headers

    @pytest.mark.parametrize("given", [None, STALE, "*"])
    def test_a_stored_response_is_replayed_first_with_its_tag(self, shop: ResourceShop, given: str | None) -> None:
        first = write(shop, "updateProduct", If_Match=shop.tag("getProduct"), Idempotency_Key="one")
        write(shop, "updateProduct", {"name": "Oats"})

        again = write(shop, "updateProduct", Idempotency_Key="one", **({} if given is None else {"If_Match": given}))

        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["ETag"] == first.headers["ETag"] != shop.tag("getProduct")
        assert again.headers["Idempotency-Replayed"] == "true"


class TestOnlyCreate:
    @pytest.mark.parametrize("operation_id", ["upsertProduct", "upsertCustomerPrice"])
    def test_a_put_creates_once(self, shop: ResourceShop, operation_id: str) -> None:
        shop.client.delete(shop.path("deleteCustomerPrice"))
        shop.ids["sku"] = "NEW"

        first = write(shop, operation_id, If_None_Match="*")
        second = write(shop, operation_id, If_None_Match="*")

        assert (first.status_code, second.status_code) == (201, 412)
        message = "The resource exists already, and If-None-Match: * only creates. Leave the header out to change it."
        assert second.json()["details"] == [
            {"pointer": "/header/If-None-Match", "code": "precondition_failed", "message": message}
        ]

    @pytest.mark.parametrize("given", ["", STALE, "**", "*, *"])
    def test_anything_but_an_asterisk_is_invalid(self, unchanged: ResourceShop, given: str) -> None:
        response = write(unchanged, "upsertProduct", If_None_Match=given)

        assert response.status_code == 400
        assert response.json()["details"][0]["pointer"] == "/header/If-None-Match"

    def test_both_headers_must_hold(self, unchanged: ResourceShop) -> None:
        response = write(unchanged, "upsertProduct", If_Match=unchanged.tag("getProduct"), If_None_Match="*")

        assert response.status_code == 412

    @pytest.mark.parametrize("operation_id", ["upsertProduct", "upsertCustomerPrice"])
    def test_one_of_several_concurrent_requests_creates(self, shop: ResourceShop, operation_id: str) -> None:
        shop.client.delete(shop.path("deleteCustomerPrice"))
        shop.ids["sku"] = "NEW"

        calls = [lambda: write(shop, operation_id, If_None_Match="*").status_code] * 6

        assert sorted(waiting.concurrently(*calls)) == [201, 412, 412, 412, 412, 412]


RECEIPT = {"delta": 1, "reason": "RECEIVED"}


class TestResponsesOfWrites:
    @pytest.mark.parametrize(
        ("method", "path", "body", "operation_id"),
        [
            ("POST", "/products", {"name": "A", "price": 1}, "getProduct"),
            ("POST", "/api-keys", {"name": "A", "scopes": ["orders:read"]}, "getApiKey"),
            ("POST", "/api-keys/{keyId}/rotate", {}, "getApiKey"),
            ("POST", "/customers", {"email": "b@example.com"}, "getCustomer"),
            ("POST", "/orders", None, "getOrder"),
            ("POST", "/webhooks", {"url": "https://example.com/b", "events": ["order.created"]}, "getWebhook"),
            ("POST", "/webhooks/{webhookId}/rotate-secret", {}, "getWebhook"),
            ("POST", "/webhooks/{webhookId}/test", None, "getWebhookDelivery"),
            ("POST", "/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", None, "getWebhookDelivery"),
            (
                "POST",
                "/products/{productId}/inventory-adjustments",
                {"delta": 1, "reason": "COUNT"},
                "getInventoryMovement",
            ),
            ("PATCH", "/products/{productId}", {"name": "B"}, "getProduct"),
            ("PUT", "/products?sku=NEW", {"name": "B", "price": 1}, "getProduct"),
            ("PUT", "/products?sku=R-1", {"name": "B", "price": 1}, "getProduct"),
            ("PUT", "/customers/{customerId}/prices/{productId}", {"price": 1}, "getCustomerPrice"),
            ("PATCH", "/customers/{customerId}", {"name": "B"}, "getCustomer"),
            ("PATCH", "/orders/{orderId}", {"status": "CONFIRMED"}, "getOrder"),
            ("POST", "/orders/{shippedOrderId}/shipments", {}, "getShipment"),
            ("PATCH", "/orders/{shippedOrderId}/shipments/{shipmentId}", {"carrier": "B"}, "getShipment"),
            ("POST", "/returns", None, "getReturn"),
            ("POST", "/returns/{returnId}/receive", None, "getReturn"),
            ("PATCH", "/returns/{returnId}", {"status": "REJECTED"}, "getReturn"),
            ("POST", "/credit-notes/{creditNoteId}/void", {"reason": "A"}, "getCreditNote"),
            ("PATCH", "/webhooks/{webhookId}", {"isActive": False}, "getWebhook"),
        ],
    )
    def test_the_tag_is_that_of_the_resource(
        self, shop: ResourceShop, method: str, path: str, body: dict[str, Any] | None, operation_id: str
    ) -> None:
        if path == "/orders":
            body = order_body(shop.ids["customerId"], (shop.ids["productId"], 1))
        if path == "/returns":
            body = return_body(shop)
        if path.endswith("/receive"):
            write(shop, "updateReturn")
        headers = {"Idempotency-Key": "one"} if method != "DELETE" else {}
        request = {"headers": headers} | ({} if body is None else {"json": body})

        first, again = [shop.client.request(method, path.format(**shop.ids), **request) for _ in range(2)]

        assert first.status_code in {200, 201, 202}, first.text
        last = OPERATIONS[operation_id].path.rpartition("{")[2].strip("}")
        if operation_id != "getCustomerPrice":
            shop.ids[last] = first.json()["data"]["id"]
        assert first.headers["ETag"] == again.headers["ETag"] == shop.tag(operation_id)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (
            shop.client.get(shop.path(operation_id), headers={"If-None-Match": first.headers["ETag"]}).status_code
            == 304
        )


SAME = {"name": "Rye", "price": 8.5}
Change = Callable[[ResourceShop], object]
AHEAD = timedelta(minutes=5)


def adjust(shop: ResourceShop, **body: Any) -> None:
    url, headers = f"/products/{shop.ids['productId']}/inventory-adjustments", {"Idempotency-Key": uuid.uuid4().hex}
    assert shop.client.post(url, json=body, headers=headers).status_code == 201


def bulk(shop: ResourceShop, path: str, **item: Any) -> None:
    response = shop.client.post(f"/bulk/{path}", json={"items": [item]}, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert response.json()["data"]["failed"] == 0, response.text


def rename(shop: ResourceShop, **body: Any) -> None:
    assert write(shop, "updateProduct", body).status_code == 200


def place(shop: ResourceShop) -> None:
    body = order_body(shop.ids["customerId"], (shop.ids["productId"], 1))
    shop.ids["otherOrderId"] = shop.client.post("/orders", json=body).json()["data"]["id"]


def cancel(shop: ResourceShop, **body: Any) -> None:
    response = shop.client.patch(f"/orders/{shop.ids['orderId']}", json={"status": "CANCELLED", **body})
    assert response.status_code == 200


def ship(shop: ResourceShop, order: str = "orderId") -> None:
    shop.client.patch(f"/orders/{shop.ids[order]}", json={"status": "CONFIRMED"})
    assert shop.client.post(f"/orders/{shop.ids[order]}/shipments").status_code == 201


def track(shop: ResourceShop) -> None:
    """Ship the order, and change the carrier of the shipment."""
    ship(shop)
    tag, (shipment,) = shop.tag("getOrder"), shop.client.get(shop.path("getOrder")).json()["data"]["shipments"]
    path = f"/orders/{shop.ids['orderId']}/shipments/{shipment['id']}"
    assert shop.client.patch(path, json={"carrier": "Northway"}).status_code == 200
    assert shop.tag("getOrder") != tag


def receive(shop: ResourceShop) -> None:
    """Approve the return, and receive it completely."""
    assert write(shop, "updateReturn").status_code == 200
    tag = shop.tag("getReturn")
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    assert shop.client.post(f"/returns/{shop.ids['returnId']}/receive", headers=headers).status_code == 200
    assert shop.tag("getReturn") != tag


def refund(shop: ResourceShop, return_id: str = "returnId") -> None:
    path, headers = f"/returns/{shop.ids[return_id]}/refund", {"Idempotency-Key": str(uuid.uuid4())}
    assert shop.client.post(path, json={"method": "MANUAL"}, headers=headers).status_code == 200


def void(shop: ResourceShop) -> None:
    path = f"/credit-notes/{shop.ids['creditNoteId']}/void"
    assert shop.client.post(path, json={"reason": "A mistake."}).status_code == 200


def receive_and_refund(shop: ResourceShop) -> None:
    receive(shop)
    tag = shop.tag("getReturn")
    refund(shop)
    assert shop.tag("getReturn") != tag


def refund_another(shop: ResourceShop) -> None:
    """Receive the return; void the credit note of another return of its order, and refund that one again."""
    receive(shop)
    tags = [shop.tag("getReturn")]
    void(shop)
    tags.append(shop.tag("getReturn"))
    refund(shop, "refundedReturnId")
    assert len({*tags, shop.tag("getReturn")}) == 3


def return_body(shop: ResourceShop) -> dict[str, Any]:
    items = [{"orderItemId": shop.ids["returnedOrderItemId"], "quantity": 1}]
    return {"orderId": shop.ids["returnedOrderId"], "items": items}


def return_again(shop: ResourceShop) -> None:
    assert shop.client.post("/returns", json=return_body(shop)).status_code == 201


def rename_returned(shop: ResourceShop, **body: Any) -> None:
    path = f"/products/{shop.ids['returnedProductId']}"
    assert shop.client.patch(path, json=body).status_code == 200


def set_again(shop: ResourceShop) -> None:
    before = shop.client.get(shop.path("getCustomerPrice")).json()
    assert write(shop, "deleteCustomerPrice").status_code == 200
    assert write(shop, "upsertCustomerPrice", {"price": 7}).status_code == 201
    assert before != shop.client.get(shop.path("getCustomerPrice")).json()


def end_delivery(shop: ResourceShop) -> None:
    shop.update(Delivery, shop.ids["deliveryId"], success=True, due_at=None, status_code=200, attempted_at=now())


def rotate(shop: ResourceShop, grace: int) -> None:
    url = f"/webhooks/{shop.ids['webhookId']}/rotate-secret"
    assert shop.client.post(url, json={"graceSeconds": grace}).status_code == 200


def end_grace(shop: ResourceShop) -> None:
    rotate(shop, 60)
    tag = shop.tag("getWebhook")
    shop.update(Webhook, shop.ids["webhookId"], secret_rotation_grace_expires_at=now() - timedelta(seconds=1))
    assert shop.tag("getWebhook") != tag
    assert shop.client.get(shop.path("getWebhook"), headers={"If-None-Match": tag}).status_code == 200


def expire(shop: ResourceShop) -> None:
    """Let a second pass, after which the key has expired."""
    shop.update(ApiKey, shop.ids["keyId"], expires_at=now() + timedelta(milliseconds=400))
    tag = shop.tag("getApiKey")
    waiting.eventually(lambda: shop.tag("getApiKey") != tag, "the key has expired")
    assert shop.client.get(shop.path("getApiKey"), headers={"If-None-Match": tag}).status_code == 200


CHANGES: list[tuple[str, str, Change]] = [
    ("a field", "getProduct", lambda shop: rename(shop, name="B")),
    ("price breaks", "getProduct", lambda shop: rename(shop, priceBreaks=[{"minQuantity": 2, "price": 1}])),
    ("a put", "getProduct", lambda shop: write(shop, "upsertProduct")),
    ("a bulk write", "getProduct", lambda shop: bulk(shop, "products", sku="R-1", name="B", price=1)),
    ("an adjustment", "getProduct", lambda shop: adjust(shop, **RECEIPT)),
    ("a count", "getProduct", lambda shop: adjust(shop, countedStock=7, reason="COUNT")),
    (
        "a bulk adjustment",
        "getProduct",
        lambda shop: bulk(shop, "inventory-adjustments", sku="R-1", **RECEIPT),
    ),
    ("an order", "getProduct", place),
    ("a restock", "getProduct", lambda shop: cancel(shop, restock=True)),
    ("a status", "getOrder", cancel),
    ("the name of a product", "getOrder", lambda shop: rename(shop, name="B")),
    ("the sku of a product", "getOrder", lambda shop: rename(shop, sku="B")),
    ("no sku any more", "getOrder", lambda shop: rename(shop, sku=None)),
    ("a shipment", "getOrder", ship),
    ("the carrier of a shipment", "getOrder", track),
    ("a field", "getShipment", lambda shop: write(shop, "updateShipment")),
    ("a decision", "getReturn", lambda shop: write(shop, "updateReturn")),
    ("a receipt", "getReturn", receive),
    ("a refund", "getReturn", receive_and_refund),
    ("another refund of its order", "getReturn", refund_another),
    ("a void", "getCreditNote", void),
    ("the name of a product", "getReturn", lambda shop: rename_returned(shop, name="B")),
    ("a field", "getCustomer", lambda shop: write(shop, "updateCustomer")),
    ("null", "getCustomer", lambda shop: write(shop, "updateCustomer", {"name": None})),
    ("a price", "getCustomerPrice", lambda shop: write(shop, "upsertCustomerPrice")),
    (
        "a bulk price",
        "getCustomerPrice",
        lambda shop: bulk(shop, "prices", email=EMAIL, sku="R-1", price=1),
    ),
    ("another price for the same", "getCustomerPrice", set_again),
    ("a field", "getWebhook", lambda shop: write(shop, "updateWebhook")),
    ("a rotation", "getWebhook", lambda shop: rotate(shop, 60)),
    ("a rotation without grace", "getWebhook", lambda shop: rotate(shop, 0)),
    ("the end of a grace period", "getWebhook", end_grace),
    ("an outcome", "getWebhookDelivery", end_delivery),
    ("a revocation", "getApiKey", lambda shop: write(shop, "revokeApiKey")),
    ("a use", "getApiKey", lambda shop: shop.update(ApiKey, shop.ids["keyId"], last_used_at=now())),
    ("a rotation", "getApiKey", lambda shop: shop.client.post(f"/api-keys/{shop.ids['keyId']}/rotate", json={})),
    ("a rate limit", "getApiKey", lambda shop: shop.update(ApiKey, shop.ids["keyId"], rate_limit="5/minute")),
    ("its expiry", "getApiKey", expire),
]
NO_CHANGES: list[tuple[str, str, Change]] = [
    ("the same values", "getProduct", lambda shop: rename(shop, name="Rye", price=8.50)),
    (
        "a put of the same values",
        "getProduct",
        lambda shop: write(shop, "upsertProduct", {"name": "Rye", "price": 8.5}),
    ),
    ("a count of what is there", "getProduct", lambda shop: adjust(shop, countedStock=48, reason="COUNT")),
    ("a preview", "getProduct", lambda shop: shop.client.post("/order-previews", json=order_body("c", ("p", 1)))),
    ("a price of it", "getProduct", lambda shop: write(shop, "upsertCustomerPrice")),
    ("a refused order", "getProduct", lambda shop: shop.client.post("/orders", json=order_body("c", ("p", 1)))),
    ("stock of its product", "getOrder", lambda shop: adjust(shop, **RECEIPT)),
    ("another order of its product", "getOrder", place),
    ("the price of its product", "getOrder", lambda shop: rename(shop, price=1)),
    ("a refused status", "getOrder", lambda shop: write(shop, "updateOrderStatus", {"status": "DELIVERED"})),
    ("the same values", "getShipment", lambda shop: write(shop, "updateShipment", {"carrier": None})),
    ("another shipment", "getShipment", lambda shop: ship(shop, "shippedOrderId")),
    ("another return of its order", "getReturn", return_again),
    ("the name of its product", "getCreditNote", lambda shop: rename_returned(shop, name="B")),
    ("another return of its order", "getCreditNote", receive_and_refund),
    ("the price of its product", "getReturn", lambda shop: rename_returned(shop, price=1)),
    ("the same values", "getCustomer", lambda shop: write(shop, "updateCustomer", {"name": " Anna "})),
    ("an order", "getCustomer", place),
    ("the same price", "getCustomerPrice", lambda shop: write(shop, "upsertCustomerPrice", {"price": 7.0})),
    ("a product", "getCustomerPrice", lambda shop: rename(shop, name="B")),
    ("the same values", "getWebhook", lambda shop: write(shop, "updateWebhook", {"isActive": True})),
    ("an event", "getWebhook", lambda shop: shop.client.post(f"/webhooks/{shop.ids['webhookId']}/test")),
    ("its webhook", "getWebhookDelivery", lambda shop: write(shop, "updateWebhook")),
    ("everything else", "getInventoryMovement", lambda shop: adjust(shop, **RECEIPT)),
    ("everything else", "getEvent", cancel),
    ("everything else", "getAuditEntry", cancel),
    ("everything else", "getApiKey", cancel),
]


def _named(changes: list[tuple[str, str, Change]]) -> pytest.MarkDecorator:
    ids = [f"{operation_id}: {name}" for name, operation_id, _ in changes]
    return pytest.mark.parametrize(("operation_id", "change"), [found[1:] for found in changes], ids=ids)


class TestVersions:
    @_named(CHANGES)
    def test_a_change_moves_the_tag(self, shop: ResourceShop, operation_id: str, change: Change) -> None:
        tag = shop.tag(operation_id)
        before = shop.client.get(shop.path(operation_id)).json()

        change(shop)

        assert shop.tag(operation_id) != tag
        assert shop.client.get(shop.path(operation_id)).json() != before
        assert shop.client.get(shop.path(operation_id), headers={"If-None-Match": tag}).status_code == 200

    @_named([found for found in CHANGES if found[0] not in {"an outcome", "another price for the same"}])
    def test_a_change_moves_the_tag_in_the_same_millisecond(
        self, shop: ResourceShop, operation_id: str, change: Change
    ) -> None:
        """A clock that is ahead has written the row last, so the clock of this change is not later."""
        _set_ahead(shop)
        tag = shop.tag(operation_id)

        change(shop)

        assert shop.tag(operation_id) != tag

    @_named(NO_CHANGES)
    def test_what_does_not_change_the_resource_keeps_the_tag(
        self, shop: ResourceShop, operation_id: str, change: Change
    ) -> None:
        tag = shop.tag(operation_id)
        before = shop.client.get(shop.path(operation_id)).json()

        change(shop)

        assert shop.tag(operation_id) == tag
        assert shop.client.get(shop.path(operation_id)).json() == before

    def test_two_resources_have_different_tags(self, shop: ResourceShop) -> None:
        tags = [shop.tag(operation.id) for operation in SINGLE]

        assert len(set(tags)) == len(SINGLE)

    def test_the_tags_of_a_batch_differ(self, shop: ResourceShop) -> None:
        items = [{"sku": f"B-{number}", "name": "B", "price": 1} for number in range(3)]
        bulk_response = shop.client.post("/bulk/products", json={"items": items}, headers={"Idempotency-Key": "b"})
        ids = [result["data"]["id"] for result in bulk_response.json()["data"]["results"]]

        assert len({shop.client.get(f"/products/{product}").headers["ETag"] for product in ids}) == 3


def _set_ahead(shop: ResourceShop) -> None:
    at = now() + AHEAD
    with shop.database.transaction(write=True) as session:
        for model in (Product, Customer, Order, PriceOverride, Return, Shipment, Webhook):
            session.execute(sa.update(model).where(model.company_id == shop.tenant.company_id).values(updated_at=at))
