"""The shipments, returns and credit notes of the demo company are believable."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pytest
import sqlalchemy as sa

from app import spec
from app.db import Database
from models import Base, Refund, Return, ReturnItem, ReturnStatus, Shipment, ShipmentItem
from tests.demo.conftest import Demo

T = TypeVar("T", bound=Base)


def rows(database: Database, model: type[T]) -> Sequence[T]:
    """Return all rows of a table in the order of their ids."""
    with database.transaction() as session:
        return session.scalars(sa.select(model).order_by(model.id)).all()


def test_orders_on_their_way_are_shipped_and_some_in_two_parts(demo: Demo, fresh_database: Database) -> None:
    shipments = Counter(shipment.order_id for shipment in rows(fresh_database, Shipment))
    shipped = {order.id for order in demo.orders if order.status == "SHIPPED"}

    assert set(shipments) == shipped == {order.id for order in demo.orders if order.has_shipments}
    assert set(shipments.values()) == {1, 2}
    quantities: Counter[str] = Counter()
    for item in rows(fresh_database, ShipmentItem):
        quantities[item.order_item_id] += item.quantity
    shipped.remove(spec.example("ShippedOrder")["data"]["id"])  # the rest of it can be shipped
    complete = {item.id: item.quantity for order_id in shipped for item in demo.items[order_id]}
    assert complete.items() <= quantities.items()
    assert len(quantities) == len(complete) + 2


def test_every_status_and_method_occurs(demo: Demo, fresh_database: Database) -> None:
    returns = rows(fresh_database, Return)

    assert {found.status for found in returns} == set(ReturnStatus)
    assert {found.method for found in returns} == {None, "CREDIT_NOTE", "MANUAL"}
    assert {found.notes is None for found in returns} == {True, False}
    items = rows(fresh_database, ReturnItem)
    assert len({item.reason for item in items}) >= 4
    assert any(item.restocked_quantity for item in items)
    assert all(found.customer_id in demo.customers for found in returns)


def test_credit_notes_are_numbered_in_the_order_of_their_times(demo: Demo, fresh_database: Database) -> None:
    notes = [refund for refund in rows(fresh_database, Refund) if refund.number is not None]

    by_time = sorted(notes, key=lambda note: note.refunded_at)
    assert [note.number for note in by_time] == list(range(1, len(notes) + 1))
    assert demo.company.credit_note_number == len(notes) == 5
    (void,) = (note for note in notes if note.voided_at is not None)
    assert void.void_reason


@pytest.mark.usefixtures("demo")
def test_a_restocking_fee_is_kept_once(fresh_database: Database) -> None:
    fees = [refund.goods - refund.subtotal for refund in rows(fresh_database, Refund)]

    assert sum(fee > 0 for fee in fees) == 1
    assert all(fee >= 0 for fee in fees)


def test_every_time_is_after_the_delivery_and_in_the_past(demo: Demo, fresh_database: Database) -> None:
    now = datetime.now(UTC)
    placed = {order.id: order for order in demo.orders}
    for found in rows(fresh_database, Return):
        times = [found.approved_at, found.received_at, found.refunded_at, found.rejected_at, found.updated_at]
        passed = [time for time in times if time is not None]
        assert placed[found.order_id].updated_at < found.created_at == found.requested_at
        assert found.requested_at <= min(passed) <= max(passed) <= now
