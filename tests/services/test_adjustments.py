"""Adjustments that are made together: each builds on those before it, and the number of statements does not grow."""

from typing import Any

import pytest

from app.context import now
from app.db import Database
from app.errors import InsufficientStockError, InvalidParameterError, NotFoundError
from app.schemas.inventory import InventoryAdjustmentCreate
from app.services import adjustments, inventory
from app.services.adjustments import Adjustment, StockChangedError
from app.services.inventory import NewMovement
from models import AuditEntry, Event, InventoryMovement, MovementReason, Product
from models.base import MILLISECOND
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.statements import counted

MANY = 300


def adjustment(product_id: str, reason: MovementReason = MovementReason.COUNT, **fields: Any) -> Adjustment:
    return Adjustment(product_id, InventoryAdjustmentCreate(reason=reason, **fields))


def adjust(database: Database, tenant: Tenant, *wanted: Adjustment) -> tuple[list[Any], list[Any]]:
    """Decide on adjustments and apply those without an error. Return the decisions, and the movements as rows."""
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        products = inventory.lock(ctx, [product_id for product_id, _ in wanted])
        decisions = adjustments.decide(products, wanted)
        planned = [decision for decision in decisions if isinstance(decision, NewMovement)]
        return decisions, adjustments.apply(ctx, products, planned)


def stored(database: Database, model: Any, **filters: str) -> list[Any]:
    with database.transaction() as session:
        return list(session.query(model).filter_by(**filters).order_by(model.created_at, model.id))


def test_adjustments_of_a_product_build_on_one_another(database: Database, tenant: Tenant) -> None:
    product = factories.product(database, tenant.company_id, stock=10)

    decisions, made = adjust(
        database,
        tenant,
        adjustment(product, delta=5),
        adjustment(product, delta=-16),
        adjustment(product, counted_stock=3, expected_stock=15),
        adjustment(product, delta=1, expected_stock=15),
        adjustment(product, delta=-3),
    )

    assert [type(decision) for decision in decisions] == [
        NewMovement,
        InsufficientStockError,
        NewMovement,
        StockChangedError,
        NewMovement,
    ]
    assert [decisions[1].data, decisions[3].data] == [{"available": 15}, {"found": 3}]
    assert [(row.stock_before, row.stock_after) for row in made] == [(10, 15), (15, 3), (3, 0)]
    chain = stored(database, InventoryMovement, product_id=product)
    assert [(row.sequence, row.stock_after) for row in chain] == [(0, 10), (1, 15), (2, 3), (3, 0)]


def test_every_adjustment_is_audited_and_every_product_has_one_event(database: Database, tenant: Tenant) -> None:
    one, other, same = factories.products(database, tenant.company_id, 3, stock=10, low_stock_threshold=5)

    adjust(
        database,
        tenant,
        adjustment(other, delta=-2),
        adjustment(one, delta=-1),
        adjustment(other, delta=-4),
        adjustment(same, counted_stock=10),
    )

    entries = stored(database, AuditEntry, company_id=tenant.company_id, action="inventory.adjusted")
    events = stored(database, Event, company_id=tenant.company_id)
    assert [entry.entity_id for entry in entries] == [other, one, other, same]
    assert [entry.details["after"]["stock"] for entry in entries] == [8, 9, 4, 10]
    assert [(event.type, event.entity_id, event.sequence) for event in events] == [
        ("product.updated", other, 1),
        ("product.updated", one, 1),
        ("product.low_stock", other, 2),
    ]


def test_unknown_products_and_fields_that_do_not_fit_are_errors_of_their_adjustment(
    database: Database, tenant: Tenant
) -> None:
    product = factories.product(database, tenant.company_id, stock=10)
    foreign = factories.product(database, factories.tenant(database).company_id, stock=10)

    decisions, made = adjust(
        database,
        tenant,
        adjustment(foreign, delta=1),
        adjustment(product, MovementReason.DAMAGED, delta=1),
        adjustment(product, delta=1),
    )

    assert [type(decision) for decision in decisions] == [NotFoundError, InvalidParameterError, NewMovement]
    assert [row.stock_after for row in made] == [11]
    assert [row.stock for row in stored(database, Product, id=foreign)] == [10]


def test_the_number_of_statements_does_not_depend_on_the_number_of_adjustments(
    database: Database, tenant: Tenant
) -> None:
    products = factories.products(database, tenant.company_id, MANY, stock=10, low_stock_threshold=9)
    numbers = []
    for wanted in (products[:1], products[1:]):
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            with counted(session) as statements:
                locked = inventory.lock(ctx, wanted)
                decisions = adjustments.decide(locked, [adjustment(product, delta=-1) for product in wanted])
                adjustments.apply(ctx, locked, [plan for plan in decisions if isinstance(plan, NewMovement)])
            numbers.append(len(statements))

    assert numbers[0] == numbers[1] <= 10


def test_nothing_is_written_without_adjustments(database: Database, tenant: Tenant) -> None:
    assert adjust(database, tenant) == ([], [])


@pytest.mark.parametrize("delta", [-1, 1])
def test_a_movement_is_later_than_the_last_change_of_its_product(
    database: Database, tenant: Tenant, delta: int
) -> None:
    later = now().replace(year=2090)
    product = factories.product(database, tenant.company_id, stock=10, updated_at=later)

    _, (movement,) = adjust(database, tenant, adjustment(product, delta=delta))

    (entry,) = stored(database, AuditEntry, entity_id=product)
    (event,) = stored(database, Event, entity_id=product)
    assert movement.created_at == entry.created_at == event.created_at == later + MILLISECOND
