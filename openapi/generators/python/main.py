"""Uses a client that openapi-generator made from the OpenAPI document of Distribu."""

import hashlib
import hmac
import os
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import distribu
from distribu import (
    CustomerUpdate,
    ErrorResponse,
    EventSubscription,
    EventType,
    OrderCreate,
    OrderCreatedEvent,
    OrderDetail,
    OrderItemCreate,
    OrderStatus,
    WebhookCreate,
)
from distribu.exceptions import UnprocessableEntityException

# Ids of the demo company.
CUSTOMER_ID = "cmdw8k1ze0002qj7h6r4t9v3b"
PRODUCT_ID = "cmdx3p9f20007qj7h1c8m4t5w"

NEXT_STEPS = {
    OrderStatus.SUBMITTED: "confirm",
    OrderStatus.CONFIRMED: "ship",
    OrderStatus.SHIPPED: "none",
    OrderStatus.DELIVERED: "none",
    OrderStatus.CANCELLED: "none",
}
SIGNATURES = ("x-webhook-signature", "x-webhook-signature-previous")


def receive_order(api: distribu.ApiClient) -> None:
    """Place an order, and receive it as an event."""
    deliveries: Queue[tuple[Mapping[str, str], bytes]] = Queue()
    webhooks = distribu.WebhooksApi(api)
    events = [EventSubscription(EventType.ORDER_DOT_CREATED)]
    webhook = webhooks.create_webhook(WebhookCreate(url=receive(deliveries), events=events)).data

    order = place_order(api)
    print("order:", order.id)
    print("next step:", next_step(order.status))

    headers, body = deliveries.get(timeout=60)
    assert webhook.secret is not None
    if not is_genuine(webhook.secret, body, headers):
        raise SystemExit("the signature of the delivery is not valid")
    created = OrderCreatedEvent.model_validate_json(body)
    print("received order:", created.data.id)
    print("changed delivery is genuine:", str(is_genuine(webhook.secret, body + b" ", headers)).lower())

    webhooks.delete_webhook(webhook.id)


def place_order(api: distribu.ApiClient) -> OrderDetail:
    """Send an idempotency key: if the response is lost, the same request can be sent again."""
    return distribu.OrdersApi(api).create_order(new_order(1), idempotency_key=str(uuid.uuid4())).data


def new_order(quantity: int) -> OrderCreate:
    """Return an order for a quantity of the product."""
    items = [OrderItemCreate(productId=PRODUCT_ID, quantity=quantity)]
    return OrderCreate(customerId=CUSTOMER_ID, items=items)


def next_step(status: str) -> str:
    """Return what to do next. A later version of the API can add a status: the status of an order is a string."""
    if status in set(OrderStatus):
        return NEXT_STEPS[OrderStatus(status)]
    return f"unknown, the status is {status}"


def list_products(api: distribu.ApiClient) -> None:
    """Read all pages."""
    count, cursor, has_more = 0, None, True
    while has_more:
        page = distribu.ProductsApi(api).list_products(limit=20, cursor=cursor)
        count += len(page.data)
        cursor, has_more = page.pagination.next_cursor, page.pagination.has_more
    print("products:", count)


def order_too_much(api: distribu.ApiClient) -> None:
    """Read the errors of an order that is refused."""
    try:
        distribu.OrdersApi(api).create_order(new_order(100_000))
    except UnprocessableEntityException as refused:
        refusal = refused.data
        assert isinstance(refusal, ErrorResponse)
        print("refused:", refused.status, refusal.code)
        for detail in refusal.details or []:
            print("error:", detail.code, detail.pointer, detail.available)


def clear_credit_limit(api: distribu.ApiClient) -> None:
    """Send null for the credit limit. All other fields are absent, and remain as they are."""
    update = CustomerUpdate(creditLimit=None)
    customer = distribu.CustomersApi(api).update_customer(CUSTOMER_ID, update).data
    print("has a credit limit:", str(customer.credit_limit is not None).lower())
    print("notes:", customer.notes)


def is_genuine(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Return True if Distribu sent the delivery, also during the rotation of a secret."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = [value for name, value in headers.items() if name.lower() in SIGNATURES]
    return any(hmac.compare_digest(expected.encode(), signature.encode()) for signature in given)


def receive(deliveries: "Queue[tuple[Mapping[str, str], bytes]]") -> str:
    """Accept deliveries on a free port of this machine, and return its URL."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            deliveries.put((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main() -> None:
    """Use the API of the server and the key in the environment."""
    url, key = os.environ["DISTRIBU_URL"], os.environ["DISTRIBU_API_KEY"]
    with distribu.ApiClient(distribu.Configuration(host=f"{url}/api/v1", access_token=key)) as api:
        receive_order(api)
        list_products(api)
        order_too_much(api)
        clear_credit_limit(api)


if __name__ == "__main__":
    main()
