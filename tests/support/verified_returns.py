"""A company that also has shipments, returns in every status, and refunds, all consistent."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.context import now
from app.db import Database
from models import Company, Refund, Return, ReturnItem, Shipment, ShipmentItem, new_id
from models.base import table
from tests.support.verified_shop import ITEMS, ORDERS, VerifiedShop, unprotected

COMPANIES = table(Company)
SHIPMENTS, SHIPMENT_ITEMS = table(Shipment), table(ShipmentItem)
RETURNS, RETURN_ITEMS, REFUNDS = table(Return), table(ReturnItem), table(Refund)
PRICE = Decimal("8.50")
TIMES = {
    "REQUESTED": (),
    "APPROVED": ("approved_at",),
    "REJECTED": ("approved_at", "rejected_at"),
    "RECEIVED": ("approved_at", "received_at"),
    "REFUNDED": ("approved_at", "received_at", "refunded_at"),
}


class VerifiedReturns(VerifiedShop):
    """The first order has two shipments with all of its items, and returns that leave nothing to return.

    Its items are 1, 3 and 1 products at 8.50, and its amounts 42.50, 0.50 and 2.00. Of the middle item, one is
    requested, one approved, one received and refunded with the credit note 2, after the credit note 1 was voided, and
    three are rejected. The first item is received and not restocked. The last one is refunded without a credit note.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        with unprotected(database) as connection:
            self.item, self.three, self.last = connection.execute(self.items_of(self.first)).scalars().all()
            self.shipments = [
                self.ship(connection, self.first, [(self.item, 1), (self.three, 2)]),
                self.ship(connection, self.first, [(self.three, 1), (self.last, 1)]),
            ]
            self.requested = self.return_item(connection, "REQUESTED", self.three, 1)
            self.approved = self.return_item(connection, "APPROVED", self.three, 1)
            self.rejected = self.return_item(connection, "REJECTED", self.three, 3)
            self.received = self.return_item(connection, "RECEIVED", self.item, 1, (1, 0))
            self.refunded = self.return_item(connection, "REFUNDED", self.three, 2, (1, 1))
            self.manual = self.return_item(connection, "REFUNDED", self.last, 1, (1, 1))
            self.void = self.refund(connection, self.refunded, number=1, void_reason="Wrong", voided_at=now())
            self.note = self.refund(connection, self.refunded, number=2)
            self.payment = self.refund(connection, self.manual)
            self.move(connection, self.two, 4, "RETURN", 7, 1, order=self.first, return_id=self.refunded)
            self.move(connection, self.one, 4, "RETURN", 40, 1, order=self.first, return_id=self.manual)
            connection.execute(self._own_company().values(credit_note_number=2))

    def items_of(self, order: str) -> sa.Select[str]:
        """Return the statement that yields the ids of the items of an order."""
        return sa.select(ITEMS.c.id).where(ITEMS.c.order_id == order).order_by(ITEMS.c.position)

    def ship(self, connection: Connection, order: str, items: list[tuple[str, int]]) -> str:
        """Insert a shipment; return its id."""
        at = now()
        ids = {"company_id": self.tenant.company_id, "shipment_id": new_id(at)}
        row = {"id": ids["shipment_id"], "company_id": self.tenant.company_id, "order_id": order}
        times = {"shipped_at": at, "created_at": at, "updated_at": at}
        connection.execute(SHIPMENTS.insert(), {**row, "tracking_numbers": [], **times})
        shipped = [
            {"id": new_id(at), **ids, "order_item_id": item, "position": position, "quantity": quantity}
            for position, (item, quantity) in enumerate(items)
        ]
        connection.execute(SHIPMENT_ITEMS.insert(), shipped)
        connection.execute(ORDERS.update().where(ORDERS.c.id == order).values(has_shipments=True))
        return ids["shipment_id"]

    def return_item(
        self,
        connection: Connection,
        status: str,
        item: str,
        quantity: int,
        received: tuple[int | None, int | None] = (None, None),
    ) -> str:
        """Insert a return of one item of the first order, with its received and restocked quantity; return its id."""
        at = now()
        row = {"id": new_id(at), "company_id": self.tenant.company_id, "order_id": self.first, "status": status}
        times = dict.fromkeys(("requested_at", "created_at", "updated_at", *TIMES[status]), at)
        connection.execute(RETURNS.insert(), {**row, "customer_id": self.customer, **times})
        returned = {
            "id": new_id(at),
            "company_id": self.tenant.company_id,
            "return_id": row["id"],
            "order_item_id": item,
            "position": 0,
            "quantity": quantity,
            "received_quantity": received[0],
            "restocked_quantity": received[1],
        }
        connection.execute(RETURN_ITEMS.insert(), returned)
        return str(row["id"])

    def refund(self, connection: Connection, return_id: str, number: int | None = None, **values: Any) -> str:
        """Insert a refund of one product; return its id. Without a number, it is no credit note."""
        at = now()
        amounts = {"goods": PRICE, "subtotal": PRICE, "tax": Decimal("0.10"), "shipping": Decimal(0)}
        refund = {
            "id": new_id(at),
            "company_id": self.tenant.company_id,
            "order_id": self.first,
            "return_id": return_id,
            "customer_id": self.customer,
            "method": "MANUAL" if number is None else "CREDIT_NOTE",
            "number": number,
            **amounts,
            "total": sum(amounts.values()) - PRICE,
            "lines": [],
            "refunded_at": at,
            **values,
        }
        connection.execute(REFUNDS.insert(), refund)
        if not values:
            total = sa.select(RETURNS.c.refunded_amount + refund["total"]).where(RETURNS.c.id == return_id)
            connection.execute(
                RETURNS.update().where(RETURNS.c.id == return_id).values(refunded_amount=total.scalar_subquery())
            )
        return str(refund["id"])

    def update_item(self, return_id: str, **values: object) -> None:
        """Change the item of a return as no server does."""
        self.execute(RETURN_ITEMS.update().where(RETURN_ITEMS.c.return_id == return_id).values(**values))

    def set_counter(self, number: int) -> None:
        """Change the number of the last credit note of the company."""
        self.execute(self._own_company().values(credit_note_number=number))

    def _own_company(self) -> sa.Update:
        return COMPANIES.update().where(COMPANIES.c.id == self.tenant.company_id)
