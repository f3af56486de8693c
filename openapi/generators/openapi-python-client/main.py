"""Use a client that openapi-python-client made from the OpenAPI document of Distribu."""

import hashlib
import hmac
import json
import os
import queue
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TypeVar

from distribu import AuthenticatedClient
from distribu.api.customers import update_customer
from distribu.api.orders import create_order
from distribu.api.products import list_products
from distribu.api.webhooks import create_webhook, delete_webhook
from distribu.models import (
    CustomerUpdate,
    ErrorResponse,
    EventType,
    OrderCreate,
    OrderCreatedEvent,
    OrderDetail,
    OrderItemCreate,
    OrderStatus,
    Product,
    WebhookCreate,
)
from distribu.types import UNSET

# Ids of the demo company.
CUSTOMER = "cmdw8k1ze0002qj7h6r4t9v3b"
PRODUCT = "cmdx3p9f20007qj7h1c8m4t5w"

T = TypeVar("T")


def main() -> None:
    api = AuthenticatedClient(
        base_url=os.environ["DISTRIBU_URL"] + "/api/v1",
        token=os.environ["DISTRIBU_API_KEY"],
    )
    receive_order(api)
    print("products:", sum(1 for _ in products(api)))
    order_too_much(api)
    clear_credit_limit(api)


def receive_order(api: AuthenticatedClient) -> None:
    """Place an order, and receive it as an event."""
    deliveries, url = receive()
    body = WebhookCreate(url=url, events=[EventType.ORDER_CREATED])
    webhook = succeeded(create_webhook.sync(client=api, body=body)).data
    assert isinstance(webhook.secret, str)

    order = place_order(api)
    print("order:", order.id)
    print("next step:", next_step(order.status))

    delivery = deliveries.get(timeout=60)
    if not delivery.is_genuine(webhook.secret):
        raise SystemExit("the signature of the delivery is not valid")
    created = OrderCreatedEvent.from_dict(json.loads(delivery.body))
    print("received order:", created.data.id)
    changed = Delivery(delivery.headers, delivery.body + b" ")
    print("changed delivery is genuine:", json.dumps(changed.is_genuine(webhook.secret)))

    succeeded(delete_webhook.sync(webhook.id, client=api))


def place_order(api: AuthenticatedClient) -> OrderDetail:
    """Place an order with an idempotency key: if the response is lost, the same request can be sent again."""
    return succeeded(create_order.sync(client=api, body=new_order(1), idempotency_key=str(uuid.uuid4()))).data


def new_order(quantity: int) -> OrderCreate:
    return OrderCreate(customer_id=CUSTOMER, items=[OrderItemCreate(product_id=PRODUCT, quantity=quantity)])


def next_step(status: str) -> str:
    """Handle a status that a later version of the API adds: the status of an order is a string."""
    match status:
        case OrderStatus.SUBMITTED:
            return "confirm"
        case OrderStatus.CONFIRMED:
            return "ship"
        case OrderStatus.SHIPPED | OrderStatus.DELIVERED | OrderStatus.CANCELLED:
            return "none"
        case _:
            return f"unknown, the status is {status}"


def products(api: AuthenticatedClient) -> Iterator[Product]:
    """Yield the products of all pages."""
    page = succeeded(list_products.sync(client=api, limit=20))
    yield from page.data
    while page.pagination.next_cursor:
        page = succeeded(list_products.sync(client=api, limit=20, cursor=page.pagination.next_cursor))
        yield from page.data


def order_too_much(api: AuthenticatedClient) -> None:
    """Read the errors of an order that is refused."""
    response = create_order.sync_detailed(client=api, body=new_order(100_000))
    assert isinstance(response.parsed, ErrorResponse)
    print("refused:", response.status_code.value, response.parsed.code)
    for detail in response.parsed.details or []:
        print("error:", detail.code, detail.pointer, detail.available)


def clear_credit_limit(api: AuthenticatedClient) -> None:
    """Send null for the credit limit. All other fields are absent, and remain as they are."""
    body = CustomerUpdate(credit_limit=None, notes=UNSET)  # UNSET is the default
    customer = succeeded(update_customer.sync(CUSTOMER, client=api, body=body)).data
    print("has a credit limit:", json.dumps(customer.credit_limit is not None))
    print("notes:", customer.notes)


def succeeded(response: T | ErrorResponse | None) -> T:
    """Return a response that is not an error."""
    if response is None or isinstance(response, ErrorResponse):
        raise SystemExit(f"the request failed: {response}")
    return response


@dataclass
class Delivery:
    headers: Message
    body: bytes

    def is_genuine(self, secret: str) -> bool:
        """Return True if Distribu sent the delivery, also during the rotation of a secret."""
        expected = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        names = ("X-Webhook-Signature", "X-Webhook-Signature-Previous")
        return any(hmac.compare_digest(expected, self.headers.get(name, "")) for name in names)


def receive() -> tuple[queue.Queue[Delivery], str]:
    """Accept deliveries on a free port of this machine; return them and the URL."""
    deliveries: queue.Queue[Delivery] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            deliveries.put(Delivery(self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return deliveries, f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    main()
