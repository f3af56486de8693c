"""What returns can be refunded is read for any number of them in two statements."""

from datetime import datetime
from decimal import Decimal

import pytest

from app.context import now
from app.db import Database
from app.services import order_refunds
from app.services.order_refunds import ReceivedReturn
from models import Order, Refund, RefundMethod, Return, ReturnStatus, new_id
from tests.support import factories, statements
from tests.support.factories import Tenant


class RefundedOrders:
    """Orders of a company with a subtotal of 10.00, a tax of 0.85 and a shipping of 5.00, and their returns."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database, self.company_id, self.at = database, tenant.company_id, now()

    def order(self) -> str:
        amounts = {"tax": Decimal("0.85"), "shipping": Decimal(5), "total": Decimal("15.85")}
        row = Order(**self._new(), subtotal=Decimal(10), **amounts, created_at=self.at, updated_at=self.at)
        return self._add(row)

    def returned(self, order_id: str, goods: str, status: str = "RECEIVED") -> ReceivedReturn:
        times = dict.fromkeys(("requested_at", "created_at", "updated_at"), self.at)
        return_id = self._add(Return(**self._new(), order_id=order_id, status=status, **times))
        return ReceivedReturn(id=return_id, order_id=order_id, status=status, goods=Decimal(goods))

    def refund(self, of: ReceivedReturn, tax: str = "0", *, voided_at: datetime | None = None) -> None:
        amounts = {"goods": of.goods, "subtotal": of.goods, "tax": Decimal(tax), "shipping": Decimal(0)}
        void = {"voided_at": voided_at, "void_reason": voided_at and "A mistake."}
        number = {
            "method": RefundMethod.CREDIT_NOTE,
            "number": factories.count(self.database, Refund, self.company_id) + 1,
        }
        row = Refund(
            **self._new(),
            **number,
            order_id=of.order_id,
            return_id=of.id,
            **amounts,
            total=of.goods + Decimal(tax),
            lines=[],
            refunded_at=self.at,
            **void,
        )
        self._add(row)

    def refundable(self, *returns: ReceivedReturn) -> list[Decimal]:
        with self.database.transaction() as session:
            ctx = factories.context(session, self.company_id)
            with statements.counted(session) as sent:
                found = order_refunds.refundable_amounts(ctx, returns)
        self.sent = len(sent)
        return [found[one.id] for one in returns]

    def _new(self) -> dict[str, str]:
        return {"id": new_id(self.at), "company_id": self.company_id}

    def _add(self, row: Order | Return | Refund) -> str:
        with self.database.transaction(write=True) as session:
            session.add(row)
            return row.id


@pytest.fixture
def shop(database: Database, tenant: Tenant) -> RefundedOrders:
    return RefundedOrders(database, tenant)


def test_only_received_returns_without_a_refund_can_be_refunded(shop: RefundedOrders) -> None:
    order = shop.order()
    expected = {"REQUESTED": "0", "APPROVED": "0", "REJECTED": "0", "RECEIVED": "2.17", "REFUNDED": "2.17"}

    returns = [shop.returned(order, "2.00", status) for status in ReturnStatus]

    assert shop.refundable(*returns) == [Decimal(expected[status]) for status in ReturnStatus]
    shop.refund(returns[-1], "0.17")
    assert shop.refundable(*returns)[-2:] == [Decimal("2.17"), 0]


def test_void_refunds_do_not_count(shop: RefundedOrders) -> None:
    order = shop.order()
    first, second = shop.returned(order, "5.00", "REFUNDED"), shop.returned(order, "5.00")
    shop.refund(first, "0.43", voided_at=shop.at)

    assert shop.refundable(first, second) == [Decimal("5.43"), Decimal("5.43")]
    shop.refund(first, "0.43")
    assert shop.refundable(first, second) == [0, Decimal("5.42")]


def test_a_refund_of_nothing_counts_too(shop: RefundedOrders) -> None:
    order = shop.order()
    free, other = shop.returned(order, "0.00", "REFUNDED"), shop.returned(order, "5.00", "REFUNDED")
    shop.refund(other)  # without its tax, which a later refund would include

    assert shop.refundable(free) == [Decimal("0.43")]
    shop.refund(free)
    assert shop.refundable(free) == [0]


@pytest.mark.parametrize(("statuses", "sent"), [("REQUESTED", 0), ("RECEIVED", 1), ("RECEIVED REFUNDED", 2)])
def test_the_number_of_statements_is_fixed(shop: RefundedOrders, statuses: str, sent: int) -> None:
    for count in (1, 5):
        returns = [shop.returned(shop.order(), "5.00", status) for status in statuses.split() * count]

        assert len(shop.refundable(*returns)) == len(returns)
        assert shop.sent == sent


def test_refunds_of_another_company_do_not_count(shop: RefundedOrders, database: Database) -> None:
    returned = shop.returned(shop.order(), "5.00")
    foreign = RefundedOrders(database, factories.tenant(database))
    foreign.refund(foreign.returned(foreign.order(), "5.00"), "0.43")

    assert shop.refundable(returned) == [Decimal("5.43")]
