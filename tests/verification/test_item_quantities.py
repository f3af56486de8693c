"""No more of an item is shipped or returned than ordered."""

from tests.support.verified_returns import RETURN_ITEMS, RETURNS, SHIPMENT_ITEMS, SHIPMENTS, VerifiedReturns
from tests.support.verified_shop import first, unprotected


def test_shipments_and_returns_of_all_items_are_clean(returns: VerifiedReturns) -> None:
    assert returns.verify() == {}


class TestShipped:
    def test_one_more_than_ordered_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.execute(
            SHIPMENT_ITEMS.update()
            .where(
                SHIPMENT_ITEMS.c.shipment_id == returns.shipments[1], SHIPMENT_ITEMS.c.order_item_id == returns.three
            )
            .values(quantity=2)
        )

        found = returns.verify()["shippedQuantities"]

        assert returns.problems() == {"shippedQuantities": "3 were ordered, its shipments add up to 4."}
        assert (found.checked, found.bad) == (2, 1)
        assert first(found) == (returns.tenant.slug, returns.three, f"of order {returns.first}")

    def test_fewer_than_ordered_are_clean(self, returns: VerifiedReturns) -> None:
        returns.execute(SHIPMENT_ITEMS.delete().where(SHIPMENT_ITEMS.c.order_item_id == returns.item))

        assert returns.verify() == {}

    def test_an_item_of_another_order_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.update(SHIPMENTS, returns.shipments[0], order_id=returns.second)

        text = "the order does not have it, but it has shipments."
        assert returns.problems()["shippedQuantities"] == text
        assert returns.verify()["shippedQuantities"].bad == 2

    def test_the_items_of_every_order_are_added_up_separately(self, returns: VerifiedReturns) -> None:
        with unprotected(returns.database) as connection:
            order = returns.order(connection, "SHIPPED", [(returns.one, 1)])
            returns.move(connection, returns.one, 5, "SALE", 41, -1, order=order)
        with unprotected(returns.database) as connection:
            item = connection.execute(returns.items_of(order)).scalar_one()
            returns.ship(connection, order, [(item, 1)])

        assert returns.verify() == {}


class TestReturned:
    def test_one_more_than_ordered_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.update_item(returns.requested, quantity=2)

        found = returns.verify()["returnedQuantities"]

        assert returns.problems() == {"returnedQuantities": "3 were ordered, its returns add up to 4."}
        assert (found.checked, found.bad) == (6, 1)
        assert first(found) == (returns.tenant.slug, returns.three, f"of order {returns.first}")

    def test_the_received_quantity_counts(self, returns: VerifiedReturns) -> None:
        returns.update_item(returns.refunded, received_quantity=2)

        assert returns.problems() == {"returnedQuantities": "3 were ordered, its returns add up to 4."}

    def test_rejected_returns_do_not_count(self, returns: VerifiedReturns) -> None:
        returns.update_item(returns.rejected, quantity=1_000_000)

        assert returns.verify() == {}

        returns.update(RETURNS, returns.rejected, status="APPROVED", rejected_at=None)

        assert returns.problems() == {"returnedQuantities": "3 were ordered, its returns add up to 1000003."}

    def test_an_item_of_another_order_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.execute(
            RETURN_ITEMS.update()
            .where(RETURN_ITEMS.c.return_id == returns.approved)
            .values(order_item_id=returns.items_of(returns.second).limit(1).scalar_subquery())
        )

        assert returns.problems() == {"returnedQuantities": "the order does not have it, but it has returns."}
