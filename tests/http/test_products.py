"""Products (contract, section 4), over HTTP on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.context import now
from app.db import Database
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant


def ids(page: httpx.Response | list[dict[str, Any]]) -> list[str]:
    items = page.json()["data"] if isinstance(page, httpx.Response) else page
    return [item["id"] for item in items]


class TestGetProduct:
    def test_returns_exactly_the_members_of_the_contract(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        product_id = factories.product(
            database,
            tenant.company_id,
            name="Widget Blue",
            sku="WDG-001",
            description="A small blue widget.",
            price=Decimal("8.50"),
            stock=42,
            external_id="ERP-1",
            barcode="5012345678900",
            low_stock_threshold=7,
            image_url="https://images.example/widget.png",
            created_at=at,
        )

        response = client.get(f"/products/{product_id}")

        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {
            "data": {
                "id": product_id,
                "name": "Widget Blue",
                "sku": "WDG-001",
                "externalId": "ERP-1",
                "barcode": "5012345678900",
                "description": "A small blue widget.",
                "category": "Hardware",
                "unit": "each",
                "price": 8.5,
                "priceBreaks": [],
                "minOrderQuantity": None,
                "orderMultiple": None,
                "maxOrderQuantity": None,
                "stock": 42,
                "lowStockThreshold": 7,
                "imageUrl": "https://images.example/widget.png",
                "isActive": True,
                "createdAt": "2026-03-01T12:00:00.000Z",
                "updatedAt": "2026-03-01T12:00:00.000Z",
            }
        }

    def test_null_members_are_present_and_the_unit_defaults_to_each(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        product_id = factories.product(database, tenant.company_id, sku=None, category=None)

        data = client.get(f"/products/{product_id}").json()["data"]

        null = ("description", "sku", "externalId", "barcode", "imageUrl", "category")
        assert [data[name] for name in null] == [None] * len(null)
        assert (data["unit"], data["lowStockThreshold"]) == ("each", 5)

    def test_unknown_and_malformed_ids_and_ids_of_another_company_get_the_same_response(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        other = factories.tenant(database)
        others = factories.product(database, other.company_id)

        responses = [
            client.get(f"/products/{product_id}", headers={"X-Request-Id": "same"})
            for product_id in (others, "c" + "0" * 24, "nope", "x" * 200, "%F0%9F%8D%9E")
        ]

        assert {(response.status_code, response.content) for response in responses} == {
            (404, b'{"error":"Product not found.","code":"not_found"}')
        }
        varying = {"date", "ratelimit"}
        headers = [
            {name: value for name, value in response.headers.items() if name not in varying} for response in responses
        ]
        assert headers == [headers[0]] * len(headers)

    def test_money_is_exact_to_the_cent(self, client: Client, tenant: Tenant, database: Database) -> None:
        prices = [Decimal("0.00"), Decimal("0.01"), Decimal("0.10"), Decimal("19.99"), Decimal("9999999999.99")]
        made = [factories.product(database, tenant.company_id, price=price) for price in prices]

        bodies = [client.get(f"/products/{product_id}").text for product_id in made]

        assert [body.split('"price":')[1].split(",")[0] for body in bodies] == [
            "0.0",
            "0.01",
            "0.1",
            "19.99",
            "9999999999.99",
        ]


class TestListProducts:
    def test_an_empty_catalogue_is_an_empty_page(self, client: Client) -> None:
        assert client.get("/products").json() == {"data": [], "pagination": {"hasMore": False, "nextCursor": None}}

    def test_newest_first_and_ties_by_id(self, client: Client, tenant: Tenant, database: Database) -> None:
        start = now()
        older = factories.products(database, tenant.company_id, 3, created_at=start - timedelta(days=1))
        newer = factories.products(database, tenant.company_id, 3, created_at=start)

        assert ids(client.get("/products")) == sorted(newer, reverse=True) + sorted(older, reverse=True)

    def test_returns_no_product_of_another_company(self, client: Client, tenant: Tenant, database: Database) -> None:
        own = factories.product(database, tenant.company_id)
        factories.products(database, factories.tenant(database).company_id, 3)

        assert ids(client.get("/products")) == [own]

    @pytest.mark.parametrize(
        ("limit", "size"),
        [(None, 50), (1, 1), (0, 1), (-5, 1), (100, 100), (101, 100), (10**30, 100), ("-" + "9" * 1000, 1)],
    )
    def test_limit_is_clamped(
        self, client: Client, tenant: Tenant, database: Database, limit: object, size: int
    ) -> None:
        factories.products(database, tenant.company_id, 101)
        query = {} if limit is None else {"limit": str(limit)}

        page = client.get("/products", params=query).json()

        assert len(page["data"]) == size
        assert page["pagination"] == {"hasMore": True, "nextCursor": page["data"][-1]["id"]}

    @pytest.mark.parametrize("limit", ["abc", "", "1.5", "1e2", " 5", "5 ", "1_0", "+5", "٣", "0x10", "nan", "null"])
    def test_an_invalid_limit_is_rejected(self, client: Client, limit: str) -> None:
        response = client.get("/products", params={"limit": limit})

        assert response.status_code == 400
        assert response.json() == {
            "error": "limit must be a whole number",
            "code": "validation_failed",
            "details": [{"pointer": "/query/limit", "message": "limit must be a whole number"}],
        }

    def test_a_full_last_page_has_no_next_cursor(self, client: Client, tenant: Tenant, database: Database) -> None:
        factories.products(database, tenant.company_id, 4)

        first = client.get("/products", params={"limit": 2}).json()
        last = client.get("/products", params={"limit": 2, "cursor": first["pagination"]["nextCursor"]}).json()

        assert first["pagination"]["hasMore"] is True
        assert last["pagination"] == {"hasMore": False, "nextCursor": None}
        assert len(set(ids(first["data"] + last["data"]))) == 4

    @pytest.mark.parametrize(
        "cursor", ["", "nope", "c" + "0" * 24, "C" + "0" * 24, "c" + "0" * 25, "' OR 1=1 --", "x" * 500]
    )
    def test_an_unknown_or_malformed_cursor_is_rejected(self, client: Client, cursor: str) -> None:
        response = client.get("/products", params={"cursor": cursor})

        assert response.status_code == 400
        assert response.json()["error"] == "Invalid cursor."
        assert response.json()["details"][0]["pointer"] == "/query/cursor"

    def test_a_deleted_product_is_still_a_cursor(self, client: Client, tenant: Tenant, database: Database) -> None:
        ids = factories.products(database, tenant.company_id, 5)
        first = client.get("/products", params={"limit": 2}).json()
        cursor = first["pagination"]["nextCursor"]
        client.delete(f"/products/{cursor}")

        rest = client.get("/products", params={"limit": 3, "cursor": cursor}).json()

        assert [product["id"] for product in first["data"] + rest["data"]] == ids[::-1]

    def test_a_cursor_of_another_company_is_rejected_like_an_unknown_one(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        others = factories.product(database, factories.tenant(database).company_id)

        responses = [client.get("/products", params={"cursor": cursor}) for cursor in (others, "c" + "0" * 24)]

        assert responses[0].status_code == 400
        assert responses[0].content == responses[1].content

    def test_category_is_exact(self, client: Client, tenant: Tenant, database: Database) -> None:
        wanted = factories.product(database, tenant.company_id, category="Baking")
        factories.product(database, tenant.company_id, category="baking")
        factories.product(database, tenant.company_id, category="Baking tins")
        factories.product(database, tenant.company_id, category=None)

        assert ids(client.get("/products", params={"category": "Baking"})) == [wanted]

    def test_active_filters_both_ways(self, client: Client, tenant: Tenant, database: Database) -> None:
        on = factories.product(database, tenant.company_id, is_active=True)
        off = factories.product(database, tenant.company_id, is_active=False)

        assert ids(client.get("/products", params={"active": "true"})) == [on]
        assert ids(client.get("/products", params={"active": "false"})) == [off]
        assert set(ids(client.get("/products"))) == {on, off}

    @pytest.mark.parametrize(("stock", "is_low"), [(0, True), (7, True), (8, False)])
    def test_low_stock_filters_both_ways(
        self, client: Client, tenant: Tenant, database: Database, stock: int, *, is_low: bool
    ) -> None:
        product_id = factories.product(database, tenant.company_id, stock=stock, low_stock_threshold=7)

        assert ids(client.get("/products", params={"lowStock": "true"})) == [product_id] * is_low
        assert ids(client.get("/products", params={"lowStock": "false"})) == [product_id] * (not is_low)
        assert client.get("/products", params={"lowStock": "x"}).json()["error"] == "lowStock must be true or false"

    @pytest.mark.parametrize("active", ["", "1", "yes", "True", "TRUE", "null", "maybe"])
    def test_active_is_true_or_false(self, client: Client, active: str) -> None:
        response = client.get("/products", params={"active": active})

        assert response.status_code == 400
        assert response.json()["error"] == "active must be true or false"

    @pytest.mark.parametrize(
        "search",
        ["gouda", "GOUDA", "ouda 1", "chs-", "CHS-77", "dairy", "AIR", "", "käse", "KÄSE", "straße", "STRASSE"],
    )
    def test_search_finds_name_sku_and_category_ignoring_case(
        self, client: Client, tenant: Tenant, database: Database, search: str
    ) -> None:
        found = factories.product(
            database, tenant.company_id, name="Gouda 12 kg Käse Straße", sku="CHS-77", category="Dairy"
        )
        if search:
            factories.product(database, tenant.company_id, name="Flour", sku="X", category="Baking")

        assert ids(client.get("/products", params={"search": search})) == [found]

    @pytest.mark.parametrize(("search", "name"), [("100%", "100% juice"), ("a_b", "a_b cable"), ("c\\d", "c\\d tape")])
    def test_wildcards_and_backslashes_in_search_are_literal(
        self, client: Client, tenant: Tenant, database: Database, search: str, name: str
    ) -> None:
        found = factories.product(database, tenant.company_id, name=name)
        for near_miss in ("100 juice", "axb cable", "cd tape", "cxd tape"):
            factories.product(database, tenant.company_id, name=near_miss)

        assert ids(client.get("/products", params={"search": search})) == [found]

    def test_search_does_not_match_across_fields(self, client: Client, tenant: Tenant, database: Database) -> None:
        factories.product(database, tenant.company_id, name="Alpha", sku="Beta", category="Gamma")

        for search in ("AlphaBeta", "aB", "Alpha Beta", "BetaGamma"):
            assert ids(client.get("/products", params={"search": search})) == []

    def test_filters_combine_and_paging_keeps_them(self, client: Client, tenant: Tenant, database: Database) -> None:
        wanted = factories.products(database, tenant.company_id, 7, category="Baking", name="Rye flour")
        factories.products(database, tenant.company_id, 7, category="Baking", name="Rye flour", is_active=False)
        factories.products(database, tenant.company_id, 7, category="Dairy", name="Rye flour")
        factories.products(database, tenant.company_id, 7, category="Baking", name="Yeast")

        walked = client.walk("/products", limit=2, category="Baking", search="rye", active="true")

        assert ids(list(walked)) == sorted(wanted, reverse=True)

    @pytest.mark.parametrize(("name", "length"), [("search", 200), ("category", 100)])
    def test_text_filters_have_a_maximum_length(self, client: Client, name: str, length: int) -> None:
        assert client.get("/products", params={name: "x" * length}).status_code == 200
        response = client.get("/products", params={name: "x" * (length + 1)})

        assert response.status_code == 400
        assert response.json()["error"] == f"{name} must be at most {length} characters"
        assert len(response.content) < 500

    def test_every_error_is_in_details_in_the_order_of_the_document(self, client: Client) -> None:
        response = client.get("/products", params={"active": "x", "limit": "x", "search": "x" * 201, "cursor": "x"})

        assert response.json()["error"] == "limit must be a whole number"
        assert [detail["message"] for detail in response.json()["details"]] == [
            "limit must be a whole number",
            "Invalid cursor.",
            "search must be at most 200 characters",
            "active must be true or false",
        ]

    def test_an_sku_is_looked_up_as_it_is_stored(self, client: Client, database: Database, tenant: Tenant) -> None:
        wanted = factories.product(database, tenant.company_id, sku="Caf\u00e9/1", category="Tea", is_active=False)
        factories.product(database, tenant.company_id, sku="caf\u00e9/1")
        factories.product(database, tenant.company_id, sku=None)
        factories.product(database, factories.tenant(database).company_id, sku="Foreign")

        for sku in ("Caf\u00e9/1", " Caf\u00e9/1 ", "Cafe\u0301/1"):
            assert ids(client.get("/products", params={"sku": sku})) == [wanted]
        for sku in ("Caf", "Foreign", "CAF\u00c9/1", "%", " "):
            assert ids(client.get("/products", params={"sku": sku})) == []
        response = client.get("/products", params={"sku": ""})
        assert (response.status_code, response.json()["error"]) == (400, "sku must be at least 1 character")

    def test_an_external_id_is_looked_up_as_it_is_stored(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        wanted = factories.product(database, tenant.company_id, external_id="Caf\u00e9/1", is_active=False)
        factories.product(database, tenant.company_id, external_id="caf\u00e9/1", sku="Caf\u00e9/1")
        factories.product(database, factories.tenant(database).company_id, external_id="Foreign")

        for external_id in ("Caf\u00e9/1", " Caf\u00e9/1 ", "Cafe\u0301/1"):
            assert ids(client.get("/products", params={"externalId": external_id})) == [wanted]
        for external_id in ("Caf", "Foreign", "CAF\u00c9/1", "%", " "):
            assert ids(client.get("/products", params={"externalId": external_id})) == []
        response = client.get("/products", params={"externalId": ""})
        assert (response.status_code, response.json()["error"]) == (400, "externalId must be at least 1 character")

    def test_a_barcode_finds_every_product_that_has_it(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        wanted = factories.products(database, tenant.company_id, 3, barcode="5012345678900")
        factories.product(database, tenant.company_id, barcode="96385074")
        factories.product(database, factories.tenant(database).company_id, barcode="5012345678900")

        for barcode in ("5012345678900", " 5012345678900\t"):
            walked = client.walk("/products", limit=2, barcode=barcode)
            assert ids(list(walked)) == sorted(wanted, reverse=True)
        for barcode in ("501234567890", "05012345678900", "x", " "):
            assert ids(client.get("/products", params={"barcode": barcode})) == []
        response = client.get("/products", params={"barcode": ""})
        assert (response.status_code, response.json()["error"]) == (400, "barcode must be at least 1 character")

    def test_several_lookups_must_all_match(self, client: Client, database: Database, tenant: Tenant) -> None:
        wanted = factories.product(database, tenant.company_id, sku="A", external_id="1", barcode="96385074")
        factories.product(database, tenant.company_id, sku="B", external_id="2", barcode="96385074")

        query = {"sku": "A", "externalId": "1", "barcode": "96385074", "lowStock": "true"}
        assert ids(client.get("/products", params=query)) == [wanted]
        assert ids(client.get("/products", params={**query, "externalId": "2"})) == []
        assert ids(client.get("/products", params={**query, "lowStock": "false"})) == []

    def test_a_lookup_combines_with_every_other_filter(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        wanted = factories.product(database, tenant.company_id, sku="A", name="Rare", category="Tea")
        other = factories.product(database, tenant.company_id, sku="B", name="Rare", category="Tea")
        matching = {"category": "Tea", "active": "true", "search": "rar", "updatedSince": "2026-01-01", "limit": "1"}
        others = {"category": "Cocoa", "active": "false", "search": "nowhere", "updatedSince": "2999-01-01"}

        assert ids(client.get("/products", params={"sku": "A", **matching})) == [wanted]
        for name, value in others.items():
            assert ids(client.get("/products", params={"sku": "A", **matching, name: value})) == [], name
        assert ids(client.get("/products", params={"sku": "A", "cursor": wanted})) == []
        assert ids(client.get("/products", params={"sku": "A", "cursor": other})) == [wanted]
