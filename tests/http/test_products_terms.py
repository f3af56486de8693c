"""Price breaks and quantity rules of products (contract, section 9.4), over HTTP on both databases."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from models import Product, new_id
from tests.http.test_products_writes import audited, created, data, error, published
from tests.support.client import Client, Contract

BREAKS = [{"minQuantity": 2, "price": 8.0}, {"minQuantity": 1_000_000, "price": 0.01}]
RULES = {"minOrderQuantity": 24, "orderMultiple": 12, "maxOrderQuantity": 240}
NO_TERMS: dict[str, Any] = {
    "priceBreaks": [],
    "minOrderQuantity": None,
    "orderMultiple": None,
    "maxOrderQuantity": None,
}
TOO_MANY = [{"minQuantity": 2 + number, "price": 1} for number in range(21)]
ORDER = "priceBreaks must be in ascending order of minQuantity"
# Violations of the rules for one member, the pointer and the message.
INVALID: list[tuple[str, object, str, str]] = [
    ("priceBreaks", {}, "", "priceBreaks must be a list"),
    ("priceBreaks", TOO_MANY, "", "priceBreaks must have at most 20 items"),
    ("priceBreaks", [None], "/0", "priceBreaks[0] must be an object"),
    ("priceBreaks", [{"price": 1}], "/0/minQuantity", "minQuantity is required"),
    ("priceBreaks", [{"minQuantity": 2}], "/0/price", "price is required"),
    ("priceBreaks", [{**BREAKS[0], "max": 1}], "/0/max", "max is not a known field"),
    ("priceBreaks", [{"minQuantity": 1, "price": 1}], "/0/minQuantity", "minQuantity must be at least 2"),
    ("priceBreaks", [{"minQuantity": 1_000_001, "price": 1}], "/0/minQuantity", "minQuantity must be at most 1000000"),
    ("priceBreaks", [{"minQuantity": 2.5, "price": 1}], "/0/minQuantity", "minQuantity must be a whole number"),
    ("priceBreaks", [{"minQuantity": 2, "price": -0.01}], "/0/price", "price must be at least 0"),
    ("priceBreaks", [{"minQuantity": 2, "price": 0.001}], "/0/price", "price must have at most 2 decimal places"),
    ("priceBreaks", [{"minQuantity": 2, "price": 10**10}], "/0/price", "price must be at most 9999999999.99"),
    ("priceBreaks", [BREAKS[0], BREAKS[0]], "/1/minQuantity", f"{ORDER}: 2 comes after 2"),
    ("priceBreaks", [*TOO_MANY[:3], BREAKS[0]], "/3/minQuantity", f"{ORDER}: 2 comes after 4"),
    *((name, 0, "", f"{name} must be at least 1") for name in RULES),
    *((name, 1_000_001, "", f"{name} must be at most 1000000") for name in RULES),
    *((name, 1.5, "", f"{name} must be a whole number") for name in RULES),
    *((name, "12", "", f"{name} must be a number") for name in RULES),
]
# Values at the limits, and as they are stored.
VALID: list[tuple[str, object, object]] = [
    ("priceBreaks", BREAKS, BREAKS),
    ("priceBreaks", TOO_MANY[:20], TOO_MANY[:20]),
    ("priceBreaks", [{"minQuantity": 2, "price": 0}], [{"minQuantity": 2, "price": 0.0}]),
    ("priceBreaks", [{"minQuantity": 2, "price": 9999999999.99}], [{"minQuantity": 2, "price": 9999999999.99}]),
    ("priceBreaks", [], []),
    ("priceBreaks", None, []),
    *((name, value, value) for name in RULES for value in (1, 1_000_000, None)),
]
# Rules that contradict each other, the pointer if a request sets all of them, and the message.
CONTRADICTIONS: list[tuple[dict[str, int], str, str]] = [
    (
        {"minOrderQuantity": 25, "maxOrderQuantity": 24},
        "/minOrderQuantity",
        "minOrderQuantity (25) must be at most maxOrderQuantity (24)",
    ),
    (
        {"minOrderQuantity": 23, "orderMultiple": 12},
        "/minOrderQuantity",
        "minOrderQuantity (23) must be a multiple of orderMultiple (12)",
    ),
    (
        {"orderMultiple": 12, "maxOrderQuantity": 11},
        "/maxOrderQuantity",
        "maxOrderQuantity (11) must be a multiple of orderMultiple (12)",
    ),
]
CONSISTENT = [
    {"minOrderQuantity": 24, "maxOrderQuantity": 24},
    {"minOrderQuantity": 12, "orderMultiple": 12, "maxOrderQuantity": 12},
    {"minOrderQuantity": 1_000_000, "orderMultiple": 1_000_000, "maxOrderQuantity": 1_000_000},
    {"minOrderQuantity": 7, "orderMultiple": 1},
    {"orderMultiple": 12, "maxOrderQuantity": 24},
]


def patch(client: Client, fields: dict[str, Any]) -> httpx.Response:
    return client.patch(f"/products/{created(client)['id']}", json=fields)


def put_new(client: Client, fields: dict[str, Any]) -> httpx.Response:
    return client.put("/products?sku=A", json={"name": "Pallet", "price": 12, **fields})


def put_known(client: Client, fields: dict[str, Any]) -> httpx.Response:
    created(client, sku="A")
    return put_new(client, fields)


def post(client: Client, fields: dict[str, Any]) -> httpx.Response:
    return client.post("/products", json={"name": "Pallet", "price": 12, **fields})


def bulk(client: Client, *items: dict[str, Any]) -> list[dict[str, Any]]:
    response = client.post(
        "/bulk/products",
        json={"mode": "each", "items": items},
        headers={"Idempotency-Key": new_id(now())},
    )
    results: list[dict[str, Any]] = data(response)["results"]
    return results


def terms(product: dict[str, Any]) -> dict[str, Any]:
    return {name: product[name] for name in NO_TERMS}


class TestProductTerms:
    @pytest.mark.parametrize(("name", "value", "stored"), VALID)
    def test_a_value_at_the_limit_is_stored(self, client: Client, name: str, value: object, stored: object) -> None:
        for write in (post, patch, put_new, put_known):
            product = data(write(client, {name: value}))
            client.delete(f"/products/{product['id']}")

            assert terms(product) == {**NO_TERMS, name: stored}

    @pytest.mark.parametrize(("name", "value", "pointer", "message"), INVALID)
    def test_an_invalid_value_is_rejected(
        self, client: Client, name: str, value: object, pointer: str, message: str
    ) -> None:
        for write in (post, patch, put_new):
            assert error(write(client, {name: value})) == (400, message, [f"/{name}{pointer}"])

    def test_the_list_and_the_product_have_them(self, client: Client) -> None:
        product = created(client, priceBreaks=BREAKS, **RULES)

        assert terms(product) == {"priceBreaks": BREAKS, **RULES}
        assert data(client.get(f"/products/{product['id']}")) == product
        assert list(client.walk("/products")) == [product]

    @pytest.mark.parametrize(("rules", "pointer", "message"), CONTRADICTIONS)
    def test_rules_that_contradict_each_other_are_rejected(
        self, client: Client, rules: dict[str, int], pointer: str, message: str
    ) -> None:
        for write in (post, patch, put_new):
            assert error(write(client, rules)) == (400, message, [pointer])

    @pytest.mark.parametrize("rules", CONSISTENT)
    def test_consistent_rules_are_stored(self, client: Client, rules: dict[str, int]) -> None:
        for write in (post, patch, put_new):
            assert terms(data(write(client, rules))) == {**NO_TERMS, **rules}

    @pytest.mark.parametrize(("rules", "pointer", "message"), CONTRADICTIONS)
    def test_each_rule_is_checked_against_those_that_are_stored(
        self, client: Client, rules: dict[str, int], pointer: str, message: str
    ) -> None:
        for name, value in rules.items():
            product = created(client, sku=name, **{other: rules[other] for other in rules if other != name})
            change = {name: value}

            response = client.patch(f"/products/{product['id']}", json=change)
            upserted = client.put(f"/products?sku={name}", json={"name": "Pallet", "price": 12, **change})
            (result,) = bulk(client, {"id": product["id"], **change})

            assert error(response) == error(upserted) == (400, message, [f"/{name}"])
            assert (result["status"], result["error"], result["details"][0]["pointer"]) == (400, message, f"/{name}")
            assert data(client.get(f"/products/{product['id']}")) == product

    def test_one_request_can_replace_all_rules(self, client: Client) -> None:
        product = created(client, **RULES)
        others = {"minOrderQuantity": 500, "orderMultiple": 250, "maxOrderQuantity": None}

        assert terms(data(client.patch(f"/products/{product['id']}", json=others))) == {**NO_TERMS, **others}

    def test_absent_is_unchanged_and_null_clears(self, client: Client) -> None:
        product = created(client, priceBreaks=BREAKS, **RULES)
        path = f"/products/{product['id']}"

        assert terms(data(client.patch(path, json={"price": 1}))) == {"priceBreaks": BREAKS, **RULES}
        assert terms(data(client.patch(path, json={"orderMultiple": None}))) == {
            "priceBreaks": BREAKS,
            **RULES,
            "orderMultiple": None,
        }
        assert terms(data(client.patch(path, json=dict.fromkeys(NO_TERMS)))) == NO_TERMS

    def test_they_are_stored_as_null_if_there_are_none(self, client: Client, database: Database) -> None:
        products = [created(client), created(client, **dict.fromkeys(NO_TERMS)), created(client, priceBreaks=BREAKS)]
        client.patch(f"/products/{products[2]['id']}", json={"priceBreaks": []})

        with database.transaction() as session:
            ids = [product["id"] for product in products]
            stored = session.scalar(sa.select(sa.func.count(Product.price_breaks)).where(Product.id.in_(ids)))
        assert stored == 0

    def test_an_update_without_a_change_writes_nothing(self, client: Client, database: Database) -> None:
        product = created(client, priceBreaks=BREAKS, **RULES)
        plain = created(client)

        for before, change in ((product, {"priceBreaks": BREAKS, **RULES}), (plain, NO_TERMS)):
            assert data(client.patch(f"/products/{before['id']}", json=change)) == before
            assert len(published(database, before["id"])) == len(audited(database, before["id"])) == 1

    def test_the_event_and_the_audit_entry_have_the_changed_members(
        self, client: Client, database: Database, contract: Contract
    ) -> None:
        product = created(client, priceBreaks=BREAKS[:1], orderMultiple=12)
        change = {"priceBreaks": BREAKS, "minOrderQuantity": 12, "maxOrderQuantity": 24, "orderMultiple": 12}

        after = data(client.patch(f"/products/{product['id']}", json=change))

        first, event = published(database, product["id"])
        entry = audited(database, product["id"])[-1]
        contract.check_event(first)
        contract.check_event(event)
        assert first["data"] == product
        assert event["data"] == {**after, "changed": ["priceBreaks", "minOrderQuantity", "maxOrderQuantity"]}
        assert {name: entry.details["before"][name] for name in NO_TERMS if name != "orderMultiple"} == {
            "priceBreaks": BREAKS[:1],
            "minOrderQuantity": None,
            "maxOrderQuantity": None,
        }
        assert {name: value for name, value in entry.details["after"].items() if name != "updatedAt"} == {
            "priceBreaks": BREAKS,
            "minOrderQuantity": 12,
            "maxOrderQuantity": 24,
        }

    def test_a_bulk_request_writes_them_and_each_item_has_its_own_error(self, client: Client) -> None:
        new, out_of_order, contradicting, invalid = bulk(
            client,
            {"sku": "A", "name": "A", "price": 1, "priceBreaks": BREAKS, **RULES},
            {"sku": "B", "name": "B", "price": 1, "priceBreaks": [*BREAKS, BREAKS[0]]},
            {"sku": "C", "name": "C", "price": 1, "minOrderQuantity": 5, "orderMultiple": 2},
            {"sku": "D", "name": "D", "price": 1, "priceBreaks": [{"minQuantity": 1, "price": 1}]},
        )

        assert terms(new["data"]) == {"priceBreaks": BREAKS, **RULES}
        assert out_of_order["error"] == f"{ORDER}: 2 comes after 1000000"
        assert out_of_order["details"][0]["pointer"] == "/priceBreaks/2/minQuantity"
        assert contradicting["error"] == "minOrderQuantity (5) must be a multiple of orderMultiple (2)"
        assert contradicting["details"][0]["pointer"] == "/minOrderQuantity"
        assert invalid["details"][0]["pointer"] == "/priceBreaks/0/minQuantity"
        assert [result["status"] for result in (out_of_order, contradicting, invalid)] == [400, 400, 400]
        assert terms(bulk(client, {"sku": "A", "priceBreaks": None})[0]["data"]) == {"priceBreaks": [], **RULES}
