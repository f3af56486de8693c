"""Events as receivers get them: the `data` of each type, and the JSON (contract, section 8.1).

Each function returns an event that `app/services/events.py` publishes. Its `data` is the `<Event>Data` of the document.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from app.queries.rows import Row
from app.schemas.base import Json, StatusResponse, row_schema, tagged, timestamp
from app.schemas.credit_notes import CreditNoteRow, credit_note
from app.schemas.customers import CUSTOMER, CustomerRow
from app.schemas.orders import ITEM, OrderItemRow, OrderRow
from app.schemas.products import PRODUCT, ProductRow
from app.schemas.returns import OrderReturn, ReturnRow, order_return
from app.schemas.shipments import Shipment, shipment
from models import EventType, OrderStatus

TIME = "\x01"  # stands for the time of the change in a template: a control character, which no text contains
TIME_JSON = orjson.dumps(TIME).decode()


class WebhookEventRow(Row):
    """A stored event."""

    id: str
    payload: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be published: its type, and the row of the entity that it is about.

    A test event can be a sample of another type, which receivers get as its type.
    """

    type: EventType
    entity_id: str
    data: Json
    sample_of: EventType | None = None

    @property
    def sent_type(self) -> EventType:
        """The type that receivers get."""
        return self.sample_of or self.type


def order_created(order: OrderRow, items: Sequence[OrderItemRow]) -> NewEvent:
    """Return the event of an order that was placed."""
    data = {**_order_summary(order), "itemCount": len(items), "items": [ITEM.render(item) for item in items]}
    return NewEvent(EventType.ORDER_CREATED, order.id, data)


def order_status_changed(order: OrderRow, previous_status: str, shipments: Iterable[Shipment]) -> list[NewEvent]:
    """Return the events of an order whose status changed: one for any change, and one for some statuses."""
    data = {**_order_summary(order), "previousStatus": previous_status}
    events = [NewEvent(EventType.ORDER_STATUS_CHANGED, order.id, data)]
    if order.status == OrderStatus.SHIPPED:
        shipped = {**data, "shipments": [shipment(found) for found in shipments]}
        events.append(NewEvent(EventType.ORDER_SHIPPED, order.id, shipped))
    if order.status == OrderStatus.CANCELLED:
        events.append(NewEvent(EventType.ORDER_CANCELLED, order.id, data))
    return events


def customer_created(customer: CustomerRow) -> NewEvent:
    """Return the event of a new customer."""
    return NewEvent(EventType.CUSTOMER_CREATED, customer.id, CUSTOMER.render(customer))


def customer_updated(customer: CustomerRow) -> NewEvent:
    """Return the event of a customer that was updated."""
    return NewEvent(EventType.CUSTOMER_UPDATED, customer.id, CUSTOMER.render(customer))


def product_created(product: ProductRow) -> NewEvent:
    """Return the event of a new product."""
    return NewEvent(EventType.PRODUCT_CREATED, product.id, PRODUCT.render(product))


def product_updated(product: ProductRow, changed: Sequence[str]) -> NewEvent:
    """Return the event of a product that was updated. `changed` has the JSON names of the changed fields."""
    return NewEvent(EventType.PRODUCT_UPDATED, product.id, {**PRODUCT.render(product), "changed": list(changed)})


def product_deleted(product: ProductRow) -> NewEvent:
    """Return the event of a product that is deleted."""
    return NewEvent(EventType.PRODUCT_DELETED, product.id, PRODUCT.render(product))


def product_low_stock(product: ProductRow, *, stock: int, at: datetime) -> NewEvent:
    """Return the event of a product whose stock fell to its threshold. `product` is the row before the change."""
    data = {**PRODUCT.render(product), "stock": stock, "updatedAt": timestamp(at)}
    return NewEvent(EventType.PRODUCT_LOW_STOCK, product.id, data)


def return_created(found: OrderReturn) -> NewEvent:
    """Return the event of a new return."""
    return NewEvent(EventType.RETURN_CREATED, found.row.id, order_return(found))


def return_approved(found: OrderReturn) -> NewEvent:
    """Return the event of a return that was approved."""
    return NewEvent(EventType.RETURN_APPROVED, found.row.id, order_return(found))


def return_rejected(found: OrderReturn) -> NewEvent:
    """Return the event of a return that was rejected."""
    return NewEvent(EventType.RETURN_REJECTED, found.row.id, order_return(found))


def return_received(found: OrderReturn) -> NewEvent:
    """Return the event of a return that was received."""
    return NewEvent(EventType.RETURN_RECEIVED, found.row.id, order_return(found))


def refund_processed(row: ReturnRow, note: CreditNoteRow | None) -> NewEvent:
    """Return the event of a return that was refunded. Its sequence is that of the return."""
    data = {
        "returnId": row.id,
        "orderId": row.order_id,
        "customerId": row.customer_id,
        "method": row.method,
        "amount": float(row.refunded_amount),
        "creditNoteId": None if note is None else note.id,
    }
    return NewEvent(EventType.REFUND_PROCESSED, row.id, data)


def credit_note_issued(note: CreditNoteRow) -> NewEvent:
    """Return the event of a new credit note."""
    return NewEvent(EventType.CREDIT_NOTE_ISSUED, note.id, credit_note(note))


def credit_note_voided(note: CreditNoteRow) -> NewEvent:
    """Return the event of a credit note that became void."""
    return NewEvent(EventType.CREDIT_NOTE_VOIDED, note.id, credit_note(note))


def webhook_test(webhook_id: str) -> NewEvent:
    """Return the event that tests a webhook."""
    return NewEvent(EventType.WEBHOOK_TEST, webhook_id, {"webhookId": webhook_id})


def payload(event: NewEvent, event_id: str, sequence: int, at: datetime) -> str:
    """Return the JSON that is stored, signed and delivered."""
    return _payload(event, event_id, sequence, timestamp(at))


def template(event: NewEvent, event_id: str) -> str:
    """Return the JSON up to the number of its last member, `sequence`, with TIME as the time."""
    return _payload(event, event_id, 0, TIME).removesuffix("0}")


def render(row: WebhookEventRow) -> Json:
    """Return a stored event as its receivers get it."""
    body: Json = orjson.loads(row.payload)
    return body


EVENT = row_schema(WebhookEventRow, version=["id"])


def event_response(row: WebhookEventRow) -> StatusResponse:
    """Return the response 200 with a stored event and its entity tag."""
    return tagged(render(row), EVENT.tag(row))


def _payload(event: NewEvent, event_id: str, sequence: int, time: str) -> str:
    """Return the JSON of an event. `sequence` is the last member, as `template` requires."""
    body: Json = {"event": event.sent_type, "timestamp": time, "data": event.data}
    if event.sample_of is not None:
        body["test"] = True
    return orjson.dumps({**body, "id": event_id, "sequence": sequence}).decode()


def _order_summary(order: OrderRow) -> Json:
    """Return the members that all events of an order have."""
    return {
        "id": order.id,
        "status": order.status,
        "total": float(order.total),
        "customerId": order.customer_id,
        "poNumber": order.po_number,
        "externalId": order.external_id,
    }
