"""Shipments, returns and credit notes of the demo company: made by the services, as if at times in the past."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from app.context import Context
from app.demo import documented
from app.queries.listing import MAX_LIMIT
from app.schemas.credit_notes import CreditNoteVoid
from app.schemas.orders import ListedOrderRow
from app.schemas.refunds import RefundCreate
from app.schemas.returns import ReturnCreate, ReturnItemCreate, ReturnItemReceive, ReturnReceive, ReturnUpdate
from app.schemas.shipments import ShipmentCreate, ShipmentItemCreate
from app.services import credit_notes, orders, receipts, refunds, return_creation, returns, shipments
from app.services.companies import SYSTEM
from models import CENT, OrderStatus, RefundMethod, ReturnReason, ReturnStatus, new_id

CARRIERS = ("Northway", "Kestrel Freight")
STEPS = 6  # the times of a return divide its duration into this many parts
DURATION = timedelta(days=20)  # of a return, if the order is that old
SPREAD = 6  # every sixth delivered order has a return


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnPlan:
    """What happens to a return of some items of an order.

    The notes are those of the last person who decided. `kept` is the part of the refund that a restocking fee keeps.
    """

    reason: ReturnReason
    items: int = 1
    decision: ReturnStatus | None = None
    notes: str | None = None
    is_received: bool = False
    is_restocked: bool = False
    refund: RefundMethod | None = None
    kept: Decimal = Decimal(0)
    void_reason: str | None = None


class Step(NamedTuple):
    """Something to be done at a time."""

    at: datetime
    action: Callable[[Context], None]


APPROVED, CREDIT_NOTE = ReturnStatus.APPROVED, RefundMethod.CREDIT_NOTE
PLANS = (  # from the newest order to the oldest
    ReturnPlan(reason=ReturnReason.DAMAGED, notes="Two cartons are crushed."),
    ReturnPlan(reason=ReturnReason.OVER_ORDERED, items=2),
    ReturnPlan(reason=ReturnReason.WRONG_ITEM, decision=APPROVED, notes="Collect with the next delivery."),
    ReturnPlan(reason=ReturnReason.NOT_AS_DESCRIBED, decision=ReturnStatus.REJECTED, notes="Opened and used."),
    ReturnPlan(reason=ReturnReason.DAMAGED, items=2, decision=APPROVED, is_received=True),
    ReturnPlan(
        reason=ReturnReason.WRONG_ITEM, decision=APPROVED, is_received=True, is_restocked=True, refund=CREDIT_NOTE
    ),
    ReturnPlan(
        reason=ReturnReason.OVER_ORDERED,
        items=3,
        decision=APPROVED,
        notes="Restocking fee of ten percent.",
        is_received=True,
        is_restocked=True,
        refund=CREDIT_NOTE,
        kept=Decimal("0.1"),
    ),
    ReturnPlan(
        reason=ReturnReason.EXPIRED,
        decision=APPROVED,
        is_received=True,
        refund=CREDIT_NOTE,
        void_reason="Issued twice by mistake.",
    ),
    ReturnPlan(reason=ReturnReason.OTHER, decision=APPROVED, is_received=True, refund=RefundMethod.MANUAL),
    ReturnPlan(reason=ReturnReason.DAMAGED, decision=APPROVED, is_received=True, refund=CREDIT_NOTE),
)


def add(ctx: Context) -> None:
    """Ship the orders that are on their way, and take back items of some delivered ones, in the order of the times."""
    steps = [*_shipments(_newest(ctx, OrderStatus.SHIPPED)), *_returns(ctx, _newest(ctx, OrderStatus.DELIVERED))]
    for step in sorted(steps, key=lambda step: step.at):
        at = step.at.replace(microsecond=step.at.microsecond // 1000 * 1000)
        step.action(replace(ctx, now=at, actor=SYSTEM, request_id=new_id(at)))


def _newest(ctx: Context, status: OrderStatus) -> Sequence[ListedOrderRow]:
    documented_ids = documented.order_ids()
    found = orders.page(ctx, status=status, limit=MAX_LIMIT).page.rows
    return [order for order in found if order.id not in documented_ids]


def _shipments(shipped: Sequence[ListedOrderRow]) -> Iterator[Step]:
    """Yield the shipments of orders: one, or two for every third order."""
    for number, order in enumerate(shipped):
        if number % 3 == 0:
            yield Step(order.updated_at, _ship(order.id, number, is_part=True))
        yield Step(order.updated_at + timedelta(minutes=30), _ship(order.id, number))


def _ship(order_id: str, number: int, *, is_part: bool = False) -> Callable[[Context], None]:
    """Return the action that ships the first item of an order, or everything that is left."""

    def action(ctx: Context) -> None:
        _, items, _ = orders.get(ctx, order_id)
        tracking = f"NW-{10_000 + 7 * number + is_part}"
        draft = ShipmentCreate(
            items=[ShipmentItemCreate(order_item_id=items[0].id, quantity=items[0].quantity)] if is_part else None,
            carrier=CARRIERS[number % len(CARRIERS)],
            tracking_numbers=[tracking],
            tracking_url=f"https://tracking.example/{tracking}",
        )
        if not is_part or len(items) > 1:
            shipments.create(ctx, order_id, draft)

    return action


def _returns(ctx: Context, delivered: Sequence[ListedOrderRow]) -> Iterator[Step]:
    for plan, order in zip(PLANS, delivered[::SPREAD], strict=False):
        step = min(ctx.now - order.updated_at, DURATION) / STEPS
        for number, action in enumerate(PlannedReturn(plan, order.id).actions(), 1):
            yield Step(order.updated_at + number * step, action)


class PlannedReturn:
    """A return and its plan. The actions follow each other, and know the ids of what the earlier ones made."""

    def __init__(self, plan: ReturnPlan, order_id: str) -> None:
        """Initialize before the return is created."""
        self._plan = plan
        self._order_id = order_id
        self._return_id = ""
        self._note_id = ""

    def actions(self) -> Iterator[Callable[[Context], None]]:
        """Yield what happens to the return."""
        yield self._request
        if self._plan.decision is not None:
            yield self._decide
        if self._plan.is_received:
            yield self._receive
        if self._plan.refund is not None:
            yield self._refund
        if self._plan.void_reason is not None:
            yield self._void

    def _request(self, ctx: Context) -> None:
        _, items, _ = orders.get(ctx, self._order_id)
        reason = self._plan.reason
        draft = ReturnCreate(
            order_id=self._order_id,
            items=[
                ReturnItemCreate(order_item_id=item.id, quantity=(item.quantity + 1) // 2, reason=reason)
                for item in items[: self._plan.items]
            ],
            notes=self._plan.notes if self._plan.decision is None else None,
        )
        self._return_id = return_creation.create(ctx, draft).row.id

    def _decide(self, ctx: Context) -> None:
        assert self._plan.decision is not None  # it is an action of this plan
        returns.decide(ctx, self._return_id, ReturnUpdate(status=self._plan.decision, notes=self._plan.notes))

    def _receive(self, ctx: Context) -> None:
        received = [
            ReturnItemReceive(
                return_item_id=item.id,
                received_quantity=item.quantity,
                restock_quantity=item.quantity if self._plan.is_restocked else 0,
            )
            for item in returns.get(ctx, self._return_id).items
        ]
        receipts.receive(ctx, self._return_id, ReturnReceive(items=received))

    def _refund(self, ctx: Context) -> None:
        assert self._plan.refund is not None  # it is an action of this plan
        refundable = returns.get(ctx, self._return_id).refundable_amount
        amount = (refundable * (1 - self._plan.kept)).quantize(CENT) if self._plan.kept else None
        draft = RefundCreate(method=self._plan.refund, amount=amount)
        note = refunds.refund(ctx, self._return_id, draft).credit_note
        self._note_id = "" if note is None else note.id

    def _void(self, ctx: Context) -> None:
        credit_notes.void(ctx, self._note_id, CreditNoteVoid(reason=self._plan.void_reason or ""))
