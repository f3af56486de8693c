"""Stock moves with its ledger: numbered without gaps, and exact."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.context import Actor, ActorType
from app.db import Database
from app.schemas.orders import OrderCreate, OrderItemCreate, OrderStatusUpdate
from app.services import inventory, orders
from app.services.inventory import NewMovement, NewStock
from models import MAX_STOCK, InventoryMovement, MovementReason, Order, OrderStatus, Product, new_id
from models.base import MILLISECOND
from tests.support import factories
from tests.support.factories import Tenant


def plan(product_id: str, delta: int, reason: MovementReason = MovementReason.OTHER) -> NewMovement:
    return NewMovement(product_id=product_id, delta=delta, reason=reason)


def ledger(session: Session, product_id: str) -> Sequence[InventoryMovement]:
    movements = sa.select(InventoryMovement).filter_by(product_id=product_id)
    return session.scalars(movements.order_by(InventoryMovement.sequence)).all()


def steps(session: Session, product_id: str) -> list[tuple[int, int, int, int]]:
    return [(row.sequence, row.delta, row.stock_before, row.stock_after) for row in ledger(session, product_id)]


def move(database: Database, tenant: Tenant, *plans: NewMovement) -> inventory.Moved:
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        return inventory.move(ctx, inventory.lock(ctx, [made.product_id for made in plans]), plans)


def place(database: Database, tenant: Tenant, *items: tuple[str, int]) -> str:
    customer = factories.customer(database, tenant.company_id)
    ordered = [OrderItemCreate(product_id=product_id, quantity=quantity) for product_id, quantity in items]
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        return orders.place(ctx, OrderCreate(customer_id=customer, items=ordered))[0].id


def cancel(database: Database, tenant: Tenant, order_id: str, *, restock: bool) -> None:
    change = OrderStatusUpdate(status=OrderStatus.CANCELLED, restock=restock)
    with database.transaction(write=True) as session:
        orders.change_status(factories.context(session, tenant.company_id), order_id, change)


class TestMove:
    def test_the_movements_of_a_product_continue_one_another(self, database: Database, tenant: Tenant) -> None:
        one, other = factories.products(database, tenant.company_id, 2, stock=10)

        moved = move(database, tenant, plan(one, -3), plan(other, 5), plan(one, -7), plan(one, 1))

        with database.transaction() as session:
            assert steps(session, one) == [(0, 10, 0, 10), (1, -3, 10, 7), (2, -7, 7, 0), (3, 1, 0, 1)]
            assert steps(session, other) == [(0, 10, 0, 10), (1, 5, 10, 15)]
            stored = [session.get_one(InventoryMovement, movement.id) for movement in moved.movements]
            assert [row.delta for row in stored] == [-3, 5, -7, 1]
            assert (session.get_one(Product, one).stock, session.get_one(Product, one).movement_sequence) == (1, 3)

    def test_a_movement_says_who_made_it_and_why(self, database: Database, tenant: Tenant) -> None:
        product_id = factories.product(database, tenant.company_id, stock=1)
        made = replace(plan(product_id, -1, MovementReason.LOST), reference="PO-1", note="Lost", return_id="c-return")
        with database.transaction(write=True) as session:
            ctx = replace(
                factories.context(session, tenant.company_id),
                actor=Actor(type=ActorType.API_KEY, id="key"),
                request_id="request",
            )
            inventory.move(ctx, inventory.lock(ctx, [product_id]), [made])

        with database.transaction() as session:
            row = ledger(session, product_id)[-1]
            assert (row.company_id, row.reason) == (tenant.company_id, "LOST")
            assert ctx.now <= row.created_at <= ctx.now + MILLISECOND  # if the product was created in the same one
            assert (row.reference, row.note, row.order_id, row.return_id) == ("PO-1", "Lost", None, "c-return")
            assert (row.actor_type, row.actor_id, row.request_id) == ("API_KEY", "key", "request")

    def test_it_is_later_than_the_last_change_of_the_product(self, database: Database, tenant: Tenant) -> None:
        product_id = factories.product(database, tenant.company_id, stock=1)
        with database.transaction(write=True) as session:
            session.get_one(Product, product_id).updated_at += timedelta(minutes=1)
            later = session.get_one(Product, product_id).updated_at

        move(database, tenant, plan(product_id, 1))

        with database.transaction() as session:
            assert ledger(session, product_id)[-1].created_at == later + MILLISECOND
            assert session.get_one(Product, product_id).updated_at == later + MILLISECOND

    def test_the_time_and_the_id_order_movements_by_their_sequence(self, database: Database, tenant: Tenant) -> None:
        """Also those of transactions that began at the same time, or earlier, as they waited for the lock."""
        product_id = factories.product(database, tenant.company_id, stock=9)
        start = datetime.now(UTC)
        for seconds, delta in ((2, -1), (2, 0), (2, -1), (1, 0), (0, 0), (0, 0), (2, -1)):
            with database.transaction(write=True) as session:
                ctx = factories.context(session, tenant.company_id)
                ctx = replace(ctx, now=start + timedelta(seconds=seconds))
                inventory.move(ctx, inventory.lock(ctx, [product_id]), [plan(product_id, delta), plan(product_id, 0)])

        with database.transaction() as session:
            found = ledger(session, product_id)
            assert sorted(found, key=lambda row: (row.created_at, row.id)) == found
            assert len({row.created_at for row in found}) == 8
            assert session.get_one(Product, product_id).updated_at == found[-1].created_at

    def test_a_delta_of_0_is_recorded_and_leaves_updated_at(self, database: Database, tenant: Tenant) -> None:
        product_id = factories.product(database, tenant.company_id, stock=5)
        with database.transaction() as session:
            before = session.get_one(Product, product_id).updated_at

        move(database, tenant, plan(product_id, 0, MovementReason.COUNT))

        with database.transaction() as session:
            assert steps(session, product_id) == [(0, 5, 0, 5), (1, 0, 5, 5)]
            assert session.get_one(Product, product_id).updated_at == before

    @pytest.mark.parametrize(
        ("deltas", "is_low"),
        [((-4,), False), ((-5,), True), ((-6,), True), ((-5, 1), False), ((-6, 1), True), ((1, -6), True)],
    )
    def test_a_stock_that_falls_to_its_threshold_gives_one_event(
        self, database: Database, tenant: Tenant, deltas: Sequence[int], *, is_low: bool
    ) -> None:
        product_id = factories.product(database, tenant.company_id, stock=10, low_stock_threshold=5)

        moved = move(database, tenant, *(plan(product_id, delta) for delta in deltas))

        assert [event.data["stock"] for event in moved.low_stock] == [10 + sum(deltas)] * is_low

    @pytest.mark.parametrize("stock", [5, 4])
    def test_a_stock_that_was_low_before_gives_no_event(self, database: Database, tenant: Tenant, stock: int) -> None:
        product_id = factories.product(database, tenant.company_id, stock=stock, low_stock_threshold=5)

        assert move(database, tenant, plan(product_id, -1)).low_stock == []

    def test_a_product_that_has_changed_since_it_was_read_is_not_moved(
        self, database: Database, tenant: Tenant
    ) -> None:
        product_id = factories.product(database, tenant.company_id, stock=5)
        with database.transaction(write=True) as session:
            stale = inventory.lock(factories.context(session, tenant.company_id), [product_id])
        move(database, tenant, plan(product_id, -1))

        with database.transaction(write=True) as session, pytest.raises(RuntimeError, match="but 0 changed"):
            inventory.move(factories.context(session, tenant.company_id), stale, [plan(product_id, -1)])

        with database.transaction() as session:
            assert steps(session, product_id) == [(0, 5, 0, 5), (1, -1, 5, 4)]

    def test_nothing_to_move_writes_nothing(self, database: Database, tenant: Tenant) -> None:
        assert move(database, tenant) == inventory.Moved([], [], {})


def test_the_products_of_another_company_are_not_locked(database: Database, tenant: Tenant) -> None:
    own = factories.product(database, tenant.company_id)
    foreign = factories.product(database, factories.tenant(database).company_id)
    with database.transaction(write=True) as session:
        assert list(inventory.lock(factories.context(session, tenant.company_id), [own, foreign, "x"])) == [own]


@pytest.mark.parametrize("stock", [0, 7])
def test_the_opening_row_is_inserted_before_its_product(database: Database, tenant: Tenant, stock: int) -> None:
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        product_id = new_id(ctx.now)
        inventory.open_products(ctx, [NewStock(product_id, stock, ctx.now)])
        times = {"created_at": ctx.now, "updated_at": ctx.now}
        session.add(Product(id=product_id, company_id=ctx.company_id, name="A", price=1, stock=stock, **times))
        session.flush()

        (row,) = ledger(session, product_id)
        assert steps(session, product_id) == [(0, stock, 0, stock)]
        assert (row.reason, row.actor_type, row.actor_id, row.created_at) == ("OPENING", "USER", "tester", ctx.now)


class TestOrders:
    def test_an_order_makes_one_sale_per_product(self, database: Database, tenant: Tenant) -> None:
        one, other = factories.products(database, tenant.company_id, 2, stock=10)

        order_id = place(database, tenant, (one, 2), (other, 1), (one, 3))

        with database.transaction() as session:
            assert steps(session, one) == [(0, 10, 0, 10), (1, -5, 10, 5)]
            assert steps(session, other) == [(0, 10, 0, 10), (1, -1, 10, 9)]
            sales = [ledger(session, product_id)[1] for product_id in (one, other)]
            assert [(sale.reason, sale.order_id) for sale in sales] == [("SALE", order_id)] * 2
            assert session.get_one(Order, order_id).has_movements is True

    @pytest.mark.parametrize("restock", [False, True])
    def test_a_cancellation_makes_movements_if_it_restocks(
        self, database: Database, tenant: Tenant, *, restock: bool
    ) -> None:
        product_id = factories.product(database, tenant.company_id, stock=10)
        order_id = place(database, tenant, (product_id, 4), (product_id, 1))

        cancel(database, tenant, order_id, restock=restock)

        with database.transaction() as session:
            returned = [
                (row.delta, row.order_id) for row in ledger(session, product_id) if row.reason == "CANCELLATION"
            ]
            assert returned == [(5, order_id)] * restock
            assert session.get_one(Product, product_id).stock == 10 - 5 * (not restock)

    def test_a_restock_may_go_beyond_what_clients_can_enter(self, database: Database, tenant: Tenant) -> None:
        product_id = factories.product(database, tenant.company_id, stock=MAX_STOCK)
        order_id = place(database, tenant, (product_id, 1_000_000))
        move(database, tenant, plan(product_id, 1_000_000))

        cancel(database, tenant, order_id, restock=True)

        with database.transaction() as session:
            assert session.get_one(Product, product_id).stock == MAX_STOCK + 1_000_000
            assert sum(row.delta for row in ledger(session, product_id)) == MAX_STOCK + 1_000_000
