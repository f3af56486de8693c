"""A company whose customer sends goods back, for tests that call the services."""

from collections.abc import Callable
from typing import TypeVar

from app.context import Context
from app.db import Database
from app.schemas.credit_notes import CreditNoteRow
from app.schemas.orders import ORDER_CREATE, OrderStatusUpdate
from app.schemas.refunds import RefundCreate
from app.schemas.returns import OrderReturn, ReturnCreate, ReturnItemCreate, ReturnReceive, ReturnUpdate
from app.schemas.shipments import ShipmentCreate
from app.services import orders, receipts, refunds, return_creation, returns, shipments
from models import OrderStatus, RefundMethod, ReturnStatus
from tests.support import factories
from tests.support.factories import Tenant

T = TypeVar("T")


class ReturnedGoods:
    """A company with a shipped order of two products at 8.50, and its returns.

    The order has 10 of `W-1`, Widget, and 4 of `G-1`, Gadget. Its amounts are 119.00, 8.33 and 9.50.
    """

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database = database
        self.tenant = tenant
        factories.terms(database, tenant.company_id, tax_rate="0.07", shipping="9.50")
        self.customer = factories.customer(
            database, tenant.company_id, email="orders@acme.com", name="Acme Restaurants"
        )
        self.widget = factories.product(database, tenant.company_id, name="Widget", sku="W-1", stock=100)
        self.gadget = factories.product(database, tenant.company_id, name="Gadget", sku="G-1", stock=100)
        self.order = self.ship((self.widget, 10), (self.gadget, 4))

    def run(self, action: Callable[[Context], T]) -> T:
        """Run a service in a transaction that writes."""
        with self.database.transaction(write=True) as session:
            return action(factories.context(session, self.tenant.company_id))

    def ship(self, *items: tuple[str, int]) -> str:
        """Place, confirm and ship an order of products; return its id."""
        body = factories.order_body(self.customer, *items)
        order_id = self.run(lambda ctx: orders.place(ctx, ORDER_CREATE.load(body)))[0].id
        confirmed = OrderStatusUpdate(status=OrderStatus.CONFIRMED)
        self.run(lambda ctx: orders.change_status(ctx, order_id, confirmed))
        self.run(lambda ctx: shipments.create(ctx, order_id, ShipmentCreate(carrier="Northway")))
        return order_id

    def request(self, *quantities: int, external_id: str | None = None) -> OrderReturn:
        """Create a return of these quantities of the items of the order."""
        items = self.run(lambda ctx: orders.get(ctx, self.order))[1]
        named = zip(items, quantities, strict=False)
        draft = ReturnCreate(
            order_id=self.order,
            items=[ReturnItemCreate(order_item_id=item.id, quantity=quantity) for item, quantity in named if quantity],
            external_id=external_id,
        )
        return self.run(lambda ctx: return_creation.create(ctx, draft))

    def approve(self, *quantities: int) -> OrderReturn:
        """Create and approve a return."""
        made, draft = self.request(*quantities), ReturnUpdate(status=ReturnStatus.APPROVED)
        return self.run(lambda ctx: returns.decide(ctx, made.row.id, draft))

    def receive(self, *quantities: int) -> OrderReturn:
        """Create, approve and receive a return, without restocking it."""
        made = self.approve(*quantities)
        return self.run(lambda ctx: receipts.receive(ctx, made.row.id, ReturnReceive()))

    def refund(self, *quantities: int) -> CreditNoteRow:
        """Create, approve, receive and refund a return with a credit note."""
        made, draft = self.receive(*quantities), RefundCreate(method=RefundMethod.CREDIT_NOTE)
        note = self.run(lambda ctx: refunds.refund(ctx, made.row.id, draft)).credit_note
        assert note is not None
        return note

    def get(self, return_id: str) -> OrderReturn:
        """Return a return."""
        return self.run(lambda ctx: returns.get(ctx, return_id))
