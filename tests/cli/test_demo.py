"""`distribu demo`: a company to try things on, safe to run twice."""

import getpass
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import context, spec
from app.db import Database
from app.demo import company as demo_company
from app.services import keys
from models import (
    Company,
    Customer,
    Order,
    OrderItem,
    OrderStatus,
    PriceOverride,
    Product,
    Scope,
    new_id,
    searchable,
)
from tests.cli.conftest import Command, dump, entries
from tests.support import factories
from tests.support.factories import Tenant


@pytest.fixture
def key_file(fresh_database: Database, tmp_path: Path) -> Path:
    """Return the file that the plaintext of the demo key is kept in."""
    directory = fresh_database.file.parent if fresh_database.file else tmp_path / "data"
    file = directory / "demo-key"
    file.unlink(missing_ok=True)
    return file


@pytest.mark.usefixtures("key_file")
class TestFirstRun:
    def test_answers_the_company_and_a_key_with_every_scope(self, distribu: Command, fresh_database: Database) -> None:
        result = distribu("demo", "--json", host="0.0.0.0", port="9000").json

        assert list(result) == ["company", "products", "customers", "orders", "created", "key", "curl"]
        assert list(result["company"]) == ["id", "name", "slug"]
        assert (result["company"]["name"], result["company"]["slug"]) == ("Greenfield Wholesale", "demo")
        assert (result["products"], result["customers"], result["orders"]) == (300, 40, 120)
        assert result["created"] is True
        url = "'http://127.0.0.1:9000/api/v1/products?limit=3'"
        assert result["curl"] == f"curl -H 'Authorization: Bearer {result['key']}' {url}"
        with fresh_database.transaction() as session:
            key = keys.find(session, keys.digest(result["key"]))
        assert key is not None
        assert (key.name, key.scopes) == ("Demo key", sorted(Scope))

    def test_shows_people_what_they_need(self, distribu: Command, key_file: Path) -> None:
        outcome = distribu("demo", host="::1")

        token = key_file.read_text().strip()
        assert "Greenfield Wholesale" in outcome.out
        assert "Customers: 40\nOrders:    120\n" in outcome.out
        assert f"curl -H 'Authorization: Bearer {token}' 'http://[::1]:8000/api/v1/products?limit=3'" in outcome.out
        assert outcome.err == ""

    def test_the_curl_line_goes_to_the_public_address(self, distribu: Command) -> None:
        result = distribu("demo", "--json", public_url="https://shop.example/shop").json

        assert result["curl"].endswith("'https://shop.example/shop/api/v1/products?limit=3'")

    def test_the_key_file_is_for_its_owner_only(self, distribu: Command, key_file: Path) -> None:
        key_file.parent.mkdir(exist_ok=True)
        key_file.write_text("old")
        key_file.chmod(0o644)

        result = distribu("demo", "--json").json

        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert key_file.read_text() == result["key"] + "\n"

    def test_a_key_that_cannot_be_kept_leaves_nothing_behind(
        self, distribu: Command, fresh_database: Database, key_file: Path
    ) -> None:
        before = dump(fresh_database)
        key_file.mkdir(parents=True)

        outcome = distribu("demo")
        key_file.rmdir()

        assert "The demo key cannot be stored in" in outcome.error
        assert outcome.code == 2
        assert dump(fresh_database) == before

    def test_the_catalogue_is_believable(self, distribu: Command, fresh_database: Database) -> None:
        distribu("demo")

        with fresh_database.transaction() as session:
            goods = session.scalars(sa.select(Product)).all()
        now = datetime.now(UTC)
        assert len({each.sku for each in goods}) == len({each.name for each in goods}) == 300
        assert len({each.category for each in goods}) == 10
        assert all(each.price > 0 and each.description and each.unit for each in goods)
        assert all(each.search_text == searchable(each.name, each.sku, each.category) for each in goods)
        assert all(now - timedelta(days=366) < each.created_at <= each.updated_at <= now for each in goods)
        assert any(each.stock == 0 for each in goods)
        assert any(0 < each.stock <= each.low_stock_threshold for each in goods)
        assert 0 < sum(not each.is_active for each in goods) < 30


@pytest.mark.usefixtures("key_file")
class TestLaterRuns:
    def test_change_nothing_and_show_the_same_key(self, distribu: Command, fresh_database: Database) -> None:
        first = distribu("demo", "--json").json
        before = dump(fresh_database)

        outcome = distribu("demo", "--json")

        assert outcome.json == first | {"created": False}
        assert "was not changed" in outcome.err
        assert dump(fresh_database) == before

    def test_say_how_to_get_a_key_when_the_file_is_gone(self, distribu: Command, key_file: Path) -> None:
        distribu("demo")
        key_file.unlink()

        outcome = distribu("demo", "--json")

        assert (outcome.json["key"], outcome.json["curl"]) == (None, None)
        assert "Create a key: distribu key create --company demo" in outcome.err
        assert "curl" not in distribu("demo").out

    def test_say_so_when_the_file_holds_a_key_of_another_database(
        self, distribu: Command, key_file: Path, shop: Tenant
    ) -> None:
        distribu("demo")
        for content in ("dk_" + "x" * 43, shop.key, ""):
            key_file.write_text(content)

            assert distribu("demo", "--json").json["key"] is None

    def test_do_not_show_a_revoked_key(self, distribu: Command) -> None:
        token = distribu("demo", "--json").json["key"]
        distribu("key", "revoke", token[:12])

        assert distribu("demo", "--json").json["key"] is None

    def test_leave_the_demo_company_of_an_earlier_version_as_it_is(
        self, distribu: Command, fresh_database: Database
    ) -> None:
        with fresh_database.transaction(write=True) as session:
            company_id = demo_company.create_company(session, now=context.now()).id
        factories.product(fresh_database, company_id)
        before = dump(fresh_database)

        result = distribu("demo", "--json").json

        assert (result["products"], result["customers"], result["orders"]) == (1, 0, 0)
        assert result["created"] is False
        assert dump(fresh_database) == before


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the first run wrote."""

    company: Company
    customers: dict[str, Customer]
    products: dict[str, Product]
    prices: dict[tuple[str, str], PriceOverride]
    orders: list[Order]
    items: dict[str, list[OrderItem]]


@pytest.fixture
def made(distribu: Command, fresh_database: Database, key_file: Path) -> Demo:
    """Return everything after a first run."""
    distribu("demo")
    items: dict[str, list[OrderItem]] = defaultdict(list)
    with fresh_database.transaction() as session:
        for item in session.scalars(sa.select(OrderItem).order_by(OrderItem.position)):
            items[item.order_id].append(item)
        return Demo(
            company=session.scalars(sa.select(Company)).one(),
            customers={each.id: each for each in session.scalars(sa.select(Customer))},
            products={each.id: each for each in session.scalars(sa.select(Product))},
            prices={(each.customer_id, each.product_id): each for each in session.scalars(sa.select(PriceOverride))},
            orders=list(session.scalars(sa.select(Order))),
            items=items,
        )


class TestHistory:
    def test_every_amount_is_what_placing_the_order_would_have_given(self, made: Demo) -> None:
        assert (made.company.tax_rate, made.company.shipping) == (Decimal("0.07"), Decimal("9.50"))
        for order in made.orders:
            assert order.customer_id is not None
            override = made.customers[order.customer_id].tax_rate_override
            subtotal = sum((each.quantity * each.unit_price for each in made.items[order.id]), Decimal(0))
            rate = made.company.tax_rate if override is None else override

            assert order.subtotal == subtotal
            assert order.tax == (subtotal * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert order.shipping == made.company.shipping
            assert order.total == order.subtotal + order.tax + order.shipping

    def test_every_price_is_the_agreed_one_or_the_catalogue_s(self, made: Demo) -> None:
        agreed = 0
        for order in made.orders:
            for item in made.items[order.id]:
                override = made.prices.get((order.customer_id or "", item.product_id))
                agreed += override is not None
                assert item.unit_price == (override or made.products[item.product_id]).price
        assert agreed > 5
        assert all(each.price < made.products[product_id].price for (_, product_id), each in made.prices.items())

    def test_nothing_comes_before_what_it_needs(self, made: Demo) -> None:
        now = datetime.now(UTC)
        for order in made.orders:
            customer = made.customers[order.customer_id or ""]
            assert now - timedelta(days=365) < customer.created_at <= order.created_at <= order.updated_at <= now
            assert customer.status == "ACTIVE" or order.created_at < customer.updated_at <= now
            assert made.items[order.id]
            for item in made.items[order.id]:
                product = made.products[item.product_id]
                assert product.is_active
                assert product.created_at <= order.created_at
        for (customer_id, product_id), price in made.prices.items():
            assert price.created_at >= made.customers[customer_id].created_at
            assert price.created_at >= made.products[product_id].created_at

    def test_there_is_some_of_everything(self, made: Demo) -> None:
        statuses = Counter(each.status for each in made.orders)
        customers = made.customers.values()

        assert statuses.keys() == set(OrderStatus)
        assert min(statuses.values()) >= 3
        assert len({each.created_at.strftime("%Y-%m") for each in made.orders}) >= 10
        assert 0 < sum(each.status == "BLOCKED" for each in customers) < 10
        assert 0 < sum(each.tax_rate_override is not None for each in customers) < 20
        assert {each.credit_limit is None for each in customers} == {True, False}
        assert len({key[0] for key in made.prices}) == 10
        assert {each.po_number is None for each in made.orders} == {True, False}
        assert {each.shipping_address is None for each in made.orders} == {True, False}

    def test_rows_are_as_the_services_write_them(self, made: Demo) -> None:
        for each in made.customers.values():
            assert each.search_text == searchable(each.email, each.name)
            assert each.email == each.email.strip().lower()
        addresses = [each.shipping_address for each in made.orders if each.shipping_address]
        document = spec.document()
        schema = document["components"]["schemas"]["ShippingAddressCreate"]
        assert all(set(schema["required"]) <= each.keys() <= schema["properties"].keys() for each in addresses)

    def test_webhooks_hear_nothing_and_the_audit_log_tells_the_truth(
        self, made: Demo, distribu: Command, fresh_database: Database
    ) -> None:
        assert dump(fresh_database)["events"] == []
        listed = entries(distribu, "demo")
        assert sorted(each["action"] for each in listed) == ["api_key.created", "company.created", "company.updated"]
        assert {each["actorId"] for each in listed} == {getpass.getuser()}


class TestFigures:
    def test_are_the_same_everywhere_and_always(self) -> None:
        def figures(now: datetime) -> list[Any]:
            (_, goods), (_, customers), (_, prices), (_, orders), (_, items) = demo_company.history(
                new_id(now), now
            ).items()
            return [
                [
                    (each["sku"], each["price"], each["stock"], each["is_active"], now - each["created_at"])
                    for each in goods
                ],
                [(each["email"], each["status"], now - each["created_at"]) for each in customers],
                [each["price"] for each in prices],
                [(each["status"], each["po_number"], each["total"], now - each["created_at"]) for each in orders],
                [(each["quantity"], each["unit_price"]) for each in items],
            ]

        assert figures(datetime(2026, 4, 16, tzinfo=UTC)) == figures(datetime(2031, 12, 31, 23, 59, tzinfo=UTC))


class TestCompany:
    def test_is_a_year_old(self, fresh_database: Database) -> None:
        now = datetime(2026, 4, 16, tzinfo=UTC)
        with fresh_database.transaction(write=True) as session:
            company = demo_company.create_company(session, now=now)
            assert isinstance(company, Company)
            assert demo_company.find(session) is company
        assert company.created_at == now - timedelta(days=365)
