"""What services return after a write, without reading it, is what reading it returns: on both databases."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from sqlalchemy import select

from app.context import Context, now
from app.db import Database
from app.queries.rows import Row
from app.schemas.customers import CustomerCreate
from app.schemas.inventory import InventoryAdjustmentCreate
from app.schemas.orders import OrderCreate, OrderItemCreate
from app.schemas.prices import PriceOverrideUpsert
from app.schemas.products import PRODUCT, ProductKey, ProductUpsert
from app.schemas.refunds import RefundCreate
from app.schemas.returns import OrderReturn, ReturnCreate, ReturnItemCreate, ReturnReceive, ReturnUpdate
from app.schemas.shipments import ShipmentCreate, ShipmentItemCreate, ShipmentUpdate
from app.schemas.webhooks import WebhookCreate, WebhookSecretRotate, WebhookUpdate, WebhookWithSecretRow
from app.services import (
    adjustments,
    credit_notes,
    customers,
    movements,
    orders,
    price_writes,
    prices,
    product_writes,
    products,
    receipts,
    refunds,
    return_creation,
    returns,
    shipments,
    webhooks,
)
from models import Event, EventType, MovementReason, PriceBreak, RefundMethod, ReturnReason, ReturnStatus
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany

ADDRESS = {"street": "Rue de l'Étoile 5", "name": 'Café "Zürich" 茶', "street2": None, "city": "Zürich"}


def values(rows: Iterable[Row]) -> list[list[tuple[type, str]]]:
    """Return the type and the text of every value: a text has the scale of a Decimal and the zone of a time."""
    return [[(type(value), str(value)) for value in row] for row in rows]


def random_order(rng: random.Random, customer: str, products: list[str], skus: list[str]) -> OrderCreate:
    quantity = rng.choice([1, 3, 12, 40])
    by_id = [OrderItemCreate(product_id=product, quantity=quantity) for product in rng.choices(products, k=3)]
    by_sku = [OrderItemCreate(sku=sku, quantity=rng.randint(1, 9)) for sku in rng.choices(skus, k=rng.randint(0, 3))]
    items = rng.sample([*by_id, *by_sku], k=len(by_id) + len(by_sku))
    texts = {name: rng.choice([None, "Ümlaut 1"]) for name in ("po_number", "notes")}
    external_id = rng.choice([None, f"external-{rng.random()}"])
    address = rng.choice([None, {}, ADDRESS])
    return OrderCreate(customer_id=customer, items=items, external_id=external_id, shipping_address=address, **texts)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_order(database: Database, tenant: Tenant, seed: int) -> None:
    rng = random.Random(seed)
    factories.terms(database, tenant.company_id, tax_rate=rng.choice(["0", "0.0825", "0.3"]), shipping="4.9")
    customer = factories.customer(database, tenant.company_id, tax_rate_override=rng.choice([None, Decimal("0.1")]))
    fields = {"stock": 10_000, "price_breaks": (PriceBreak(10, Decimal("7.5")),), "low_stock_threshold": 9_990}
    products = factories.products(database, tenant.company_id, 3, price=Decimal("8.5"), **fields)
    skus = [f"S-{seed}-{number}" for number in range(3)]
    for sku in skus:
        products.append(
            factories.product(database, tenant.company_id, sku=sku, price=Decimal(rng.randint(0, 9)), stock=999)
        )
    factories.price_override(database, tenant.company_id, customer, products[0], "3")

    with database.transaction(write=True) as session:
        draft = random_order(rng, customer, products, skus)
        order, items = orders.place(factories.context(session, tenant.company_id), draft)
    with database.transaction() as session:
        found, found_items, found_shipments = orders.get(factories.context(session, tenant.company_id), order.id)

    assert values([order]) == values([found])
    assert values(items) == values(found_items)
    assert len(items) == len(draft.items)
    assert not found_shipments


@pytest.mark.parametrize(
    "draft",
    [
        CustomerCreate(email="anna@example.com"),
        CustomerCreate(email="b@example.com", name="B", credit_limit=Decimal(5), tax_rate_override=Decimal("0.1")),
        CustomerCreate(email="c@example.com", external_id="Ü-1", status="BLOCKED", notes="", credit_limit=Decimal(0)),
    ],
)
def test_a_customer(database: Database, tenant: Tenant, draft: CustomerCreate) -> None:
    with database.transaction(write=True) as session:
        created = customers.create(factories.context(session, tenant.company_id), draft)
    with database.transaction() as session:
        found = customers.get(factories.context(session, tenant.company_id), created.id)

    assert values([created]) == values([found])


def test_a_shipment(client: Client, tenant: Tenant, database: Database) -> None:
    order = RefundsCompany(client, tenant, database).order(5, 3, status="CONFIRMED")
    first, second = (item["id"] for item in order["items"])
    part = [ShipmentItemCreate(order_item_id=second, quantity=2), ShipmentItemCreate(order_item_id=first, quantity=1)]
    shipped_at = datetime(2026, 7, 1, 12, 30, 15, 123_999, tzinfo=UTC)
    drafts = [
        ShipmentCreate(items=part, carrier="DHL", tracking_numbers=("Ü1", "2"), shipped_at=shipped_at),
        ShipmentCreate(),
    ]
    for draft in drafts:
        with database.transaction(write=True) as session:
            shipment = shipments.create(factories.context(session, tenant.company_id), order["id"], draft)
        with database.transaction() as session:
            found = shipments.get(factories.context(session, tenant.company_id), order["id"], shipment[0].id)

        assert values(shipment) == values(found)


def test_a_return(client: Client, tenant: Tenant, database: Database) -> None:
    order = RefundsCompany(client, tenant, database).order(5, 3, 2)
    items = [
        ReturnItemCreate(order_item_id=item["id"], quantity=1, reason=reason)
        for item, reason in zip(order["items"], [ReturnReason.DAMAGED, None, ReturnReason.OTHER], strict=True)
    ]
    draft = ReturnCreate(order_id=order["id"], items=items[::-1], notes="Ü", external_id="R-1")
    with database.transaction(write=True) as session:
        made = return_creation.create(factories.context(session, tenant.company_id), draft)
    with database.transaction() as session:
        found = returns.get(factories.context(session, tenant.company_id), made.row.id)

    assert values([made.row]) == values([found.row])
    assert values(made.items) == values(found.items)
    assert made.refundable_amount == found.refundable_amount


def test_a_credit_note(client: Client, tenant: Tenant, database: Database) -> None:
    company = RefundsCompany(client, tenant, database)
    company.set_terms()
    returned = company.returned(company.order(5, 3), 2, 1, status="RECEIVED")
    draft = RefundCreate(method=RefundMethod.CREDIT_NOTE, shipping=Decimal(1))
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        note = refunds.refund(ctx, returned["id"], draft).credit_note
    assert note is not None
    with database.transaction() as session:
        found = credit_notes.get(factories.context(session, tenant.company_id), note.id)

    assert values([note]) == values([found])
    assert found.issued_at <= now()


DRAFT = ProductUpsert(
    name="Tée",
    price=Decimal("8.5"),
    price_breaks=(PriceBreak(10, Decimal("7.50")),),
    category="A",
    low_stock_threshold=3,
)


@pytest.mark.parametrize("changes", [ProductUpsert(price=Decimal(9)), ProductUpsert(name="X", price_breaks=())])
def test_a_product_that_is_created_and_updated(database: Database, tenant: Tenant, changes: ProductUpsert) -> None:
    for draft in (DRAFT, changes):
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            written = product_writes.upsert(ctx, ProductKey("sku", "S-1"), draft).product
        with database.transaction() as session:
            found = products.get(factories.context(session, tenant.company_id), written.id)

        assert type(written) is type(found)
        assert values([written]) == values([found])


def test_a_price_that_is_set_twice(database: Database, tenant: Tenant) -> None:
    customer = factories.customer(database, tenant.company_id)
    product = factories.product(database, tenant.company_id)
    breaks = (PriceBreak(10, Decimal("7.50")),)
    for draft in (
        PriceOverrideUpsert(price=Decimal(8), price_breaks=breaks),
        PriceOverrideUpsert(price=Decimal("7.9")),
    ):
        with database.transaction(write=True) as session:
            written = price_writes.put(factories.context(session, tenant.company_id), customer, product, draft).price
        with database.transaction() as session:
            found = prices.get(factories.context(session, tenant.company_id), customer, product)

        assert values([written])[0][: len(found)] == values([found])[0]


def test_an_adjustment_and_the_event_of_its_product(database: Database, tenant: Tenant) -> None:
    product = factories.product(database, tenant.company_id, stock=5, low_stock_threshold=3)
    draft = InventoryAdjustmentCreate(reason=MovementReason.DAMAGED, delta=-4, note="Ü")
    with database.transaction(write=True) as session:
        made = adjustments.adjust(factories.context(session, tenant.company_id), product, draft)
    with database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        found = movements.get(ctx, made.id)
        after = products.get(ctx, product)
        payload = session.scalars(
            select(Event.payload).where(Event.type == EventType.PRODUCT_UPDATED, Event.entity_id == product)
        ).one()

    assert values([made]) == values([found])
    assert orjson.loads(payload)["data"] == {**PRODUCT.render(after), "changed": ["stock"]}


def test_a_webhook_that_is_created_updated_and_rotated(database: Database, tenant: Tenant) -> None:
    draft = WebhookCreate(url="https://example.com/hook", events=("order.created",))

    def written(write: Callable[[Context], WebhookWithSecretRow]) -> str:
        with database.transaction(write=True) as session:
            webhook = write(factories.context(session, tenant.company_id))
        with database.transaction() as session:
            found = webhooks.get(factories.context(session, tenant.company_id), webhook.id)
        assert values([webhook]) == values([found])
        return webhook.id

    id_ = written(lambda ctx: webhooks.create(ctx, draft))
    written(lambda ctx: webhooks.update(ctx, id_, WebhookUpdate(description="Ü", events=("order.updated",))))
    for rotation in (WebhookSecretRotate(grace_seconds=grace) for grace in (600, 60, 0)):
        written(lambda ctx: webhooks.rotate_secret(ctx, id_, rotation))  # noqa: B023 - called at once


def test_a_shipment_that_is_updated(client: Client, tenant: Tenant, database: Database) -> None:
    order = RefundsCompany(client, tenant, database).order(5, 3, status="CONFIRMED")
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        shipment_id = shipments.create(ctx, order["id"], ShipmentCreate(carrier="DHL"))[0].id
    draft = ShipmentUpdate(tracking_numbers=("Ü1", "2"), carrier=None)
    with database.transaction(write=True) as session:
        written = shipments.update(factories.context(session, tenant.company_id), order["id"], shipment_id, draft)
    with database.transaction() as session:
        found = shipments.get(factories.context(session, tenant.company_id), order["id"], shipment_id)

    assert values(written) == values(found)


def test_a_return_that_is_approved_and_received(client: Client, tenant: Tenant, database: Database) -> None:
    company = RefundsCompany(client, tenant, database)
    return_id = company.returned(company.order(5, 3), 2, 1, status="REQUESTED")["id"]
    steps: tuple[Callable[[Context], OrderReturn], ...] = (
        lambda ctx: returns.decide(ctx, return_id, ReturnUpdate(status=ReturnStatus.APPROVED)),
        lambda ctx: receipts.receive(ctx, return_id, ReturnReceive()),
    )
    for step in steps:
        with database.transaction(write=True) as session:
            written = step(factories.context(session, tenant.company_id))
        with database.transaction() as session:
            found = returns.get(factories.context(session, tenant.company_id), return_id)

        assert values([written.row]) == values([found.row])
        assert values(written.items) == [row[: len(written.items[0])] for row in values(found.items)]
        assert written.refundable_amount == found.refundable_amount
