"""Events as the 3.1 edition describes them: each is one of the named events, with its data."""

import jsonschema_rs

from app import editions
from tests.support.client import Client

EDITION = editions.document("3.1")
PAGE = EDITION["paths"]["/events"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def test_the_events_of_a_company_are_those_of_the_union(client: Client) -> None:
    customer = client.post("/customers", json={"email": "anna@example.com"}).json()["data"]["id"]
    client.patch(f"/customers/{customer}", json={"name": "Anna"})
    created = client.post("/products", json={"name": "Rice", "sku": "R-1", "price": 2.5, "stock": 9}).json()["data"]
    product = created["id"]
    client.patch(f"/products/{product}", json={"lowStockThreshold": 8})
    item = {"productId": product, "quantity": 2}
    for status in ("CANCELLED", "SHIPPED"):
        order = client.post("/orders", json={"customerId": customer, "items": [item]}).json()["data"]["id"]
        for step in ("CONFIRMED", status):
            client.patch(f"/orders/{order}", json={"status": step}).raise_for_status()
    client.delete(f"/products/{client.post('/products', json=spare()).json()['data']['id']}").raise_for_status()

    page = client.get("/events", params={"limit": 100}).json()
    types = {event["event"] for event in page["data"]}

    expected = {"customer.created", "customer.updated", "product.created", "product.updated", "product.deleted"}
    assert types == expected | {
        "product.low_stock",
        "order.created",
        "order.status_changed",
        "order.cancelled",
        "order.shipped",
    }
    rule = jsonschema_rs.Draft202012Validator({**PAGE, "components": EDITION["components"]}, validate_formats=True)
    assert [error.message for error in rule.iter_errors(page)] == []


def spare() -> dict[str, object]:
    """Return a product that no order contains."""
    return {"name": "Salt", "sku": "S-1", "price": 1, "stock": 1}
