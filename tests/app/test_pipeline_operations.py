"""Round trips to PostgreSQL of operations that write: a fixed number, also through a pooler."""

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

import pytest

from app import spec
from app.context import Context
from app.db import Database
from app.http import idempotency
from app.http.response import Response
from app.schemas.customers import CustomerCreate
from app.schemas.inventory import InventoryAdjustmentCreate
from app.schemas.orders import OrderCreate, OrderItemCreate, OrderStatusUpdate
from app.schemas.products import ProductCreate, ProductUpdate
from app.schemas.webhooks import WebhookCreate
from app.services import adjustments, customers, orders, product_writes, webhooks
from models import EventType, MovementReason, OrderStatus
from tests.support import factories
from tests.support.pgbouncer import pgbouncer
from tests.support.round_trips import RoundTrips, round_trips
from tests.support.servers import PostgresqlStore, open_database

pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
EXECUTIONS = 6  # after which psycopg has prepared every statement
PLACE_ORDER = next(operation for operation in spec.operations(spec.document()) if operation.id == "createOrder")


class WritingShop(NamedTuple):
    """A company with a product, a customer, and a webhook that subscribes to every event."""

    database: Database
    trips: RoundTrips
    company_id: str
    product: str
    customer: str

    def count(self, write: Callable[["WritingShop", Context], object]) -> int:
        """Return the number of round trips of a write in a separate transaction, which begins and commits."""

        def run() -> None:
            with self.database.transaction(write=True) as session:
                write(self, factories.context(session, self.company_id))

        for _ in range(EXECUTIONS):
            run()
        return self.trips.of(run)


@pytest.fixture(scope="module", params=["direct", "pooled"])
def shop(store: PostgresqlStore, request: pytest.FixtureRequest) -> Iterator[WritingShop]:
    url = store.create("round_trips")
    with pgbouncer(url) as pooled, round_trips(url if request.param == "direct" else pooled) as (counted, trips):
        database = open_database(counted)
        company_id = factories.tenant(database).company_id
        product = factories.product(database, company_id, stock=1000)
        customer = factories.customer(database, company_id)
        with database.transaction(write=True) as session:
            draft = WebhookCreate(url="https://example.com/", events=list(EventType))
            webhooks.create(factories.context(session, company_id), draft)
        yield WritingShop(database, trips, company_id, product, customer)
        database.dispose()
    store.drop(url)


def create_product(_shop: WritingShop, ctx: Context) -> object:
    return product_writes.create(ctx, ProductCreate(name="A", price=Decimal("2.50"), sku=uuid.uuid4().hex))


def update_product(shop: WritingShop, ctx: Context) -> object:
    return product_writes.update(ctx, shop.product, ProductUpdate(name=uuid.uuid4().hex))


def adjust_stock(shop: WritingShop, ctx: Context) -> object:
    draft = InventoryAdjustmentCreate(delta=1, reason=MovementReason.RECEIVED)
    return adjustments.adjust(ctx, shop.product, draft)


def create_customer(_shop: WritingShop, ctx: Context) -> object:
    return customers.create(ctx, CustomerCreate(email=f"{uuid.uuid4().hex}@example.com"))


def place_order(shop: WritingShop, ctx: Context) -> str:
    items = [OrderItemCreate(product_id=shop.product, quantity=1)]
    order, _items = orders.place(ctx, OrderCreate(customer_id=shop.customer, items=items))
    return order.id


def place_order_with_a_key(shop: WritingShop, ctx: Context) -> object:
    def run() -> Response:
        return Response(status=201, headers={}, body=place_order(shop, ctx).encode())

    return idempotency.replay_or_run(ctx, PLACE_ORDER, uuid.uuid4().hex, b"", run)


def place_and_confirm_order(shop: WritingShop, ctx: Context) -> object:
    return orders.change_status(ctx, place_order(shop, ctx), OrderStatusUpdate(status=OrderStatus.CONFIRMED))


@pytest.mark.parametrize(
    ("write", "count"),
    [
        (lambda _shop, _ctx: None, 2),
        (create_product, 5),
        (update_product, 6),
        (adjust_stock, 6),
        (create_customer, 5),
        (place_order, 7),
        (place_order_with_a_key, 9),
        (place_and_confirm_order, 12),
    ],
)
def test_a_write_takes_a_fixed_number_of_round_trips(
    shop: WritingShop, write: Callable[[WritingShop, Context], object], count: int
) -> None:
    assert shop.count(write) == count
