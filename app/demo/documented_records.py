"""What the examples of the document name, except products, customers and orders: every id in a path exists.

Ids that only one operation uses are those of records that the operation changes in a way that others could not follow:
the API key to revoke, the webhook to delete, and a return in each status.

Only the credit note has an audit entry, and only it and the order of the example have an event. Events expire in the
order of their ids. The id of the documented event comes after every generated id, so it does not expire.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Column, Table

from app import spec
from app.context import Context
from app.demo.customers import RowValues
from app.demo.documented import Json, at, data
from app.schemas import events as payloads
from app.schemas import price_breaks
from app.schemas.base import timestamp
from app.services import (
    audit,
    credit_notes,
    deliveries,
    events,
    keys,
    order_shipments,
    prices,
    return_items,
    webhook_secrets,
    webhooks,
)
from models import RefundMethod, ReturnStatus, new_id
from models.base import Fixed, Instant
from models.price_breaks import PriceBreaks

NOT_RECEIVED = {"receivedQuantity": None, "restockedQuantity": None}
NOT_RESTOCKED = {"restockedQuantity": 0}  # a restocked unit would need a movement
# The external ids of examples are those of requests that create another return.
UNRECEIVED = {"externalId": None, "receivedAt": None, "refundedAt": None, "method": None, "refundedAmount": 0}


def add(ctx: Context) -> None:
    """Add the records to the demo company, which has the products, the customers and the orders of the examples."""
    _add_shipment(ctx)
    _add_returns(ctx)
    _add_credit_note(ctx)
    _add_prices(ctx)
    _add_keys(ctx)
    _add_webhooks(ctx)


def _add_shipment(ctx: Context) -> None:
    shipment = data("Shipment")
    items = [{**item, "id": new_id(ctx.now), "shipmentId": shipment["id"]} for item in shipment["items"]]
    _insert(ctx, order_shipments.TABLE, [shipment])
    _insert(ctx, order_shipments.ITEMS, _numbered(items))


def _add_returns(ctx: Context) -> None:
    """Add a return that can be approved, one that can be received, and one that can be refunded."""
    requested, received, refundable = data("RequestedReturn"), data("ReceivedReturn"), data("ReturnRefund")["return"]
    refundable = {**refundable, **UNRECEIVED, "status": ReturnStatus.RECEIVED, "receivedAt": refundable["receivedAt"]}
    _add_return(ctx, {**requested, **UNRECEIVED}, NOT_RECEIVED)
    _add_return(ctx, {**received, **UNRECEIVED, "status": ReturnStatus.APPROVED}, NOT_RECEIVED)
    _add_return(ctx, refundable, NOT_RESTOCKED)


def _add_return(ctx: Context, found: Json, quantities: Json) -> None:
    items = [{**item, **quantities, "returnId": found["id"]} for item in found["items"]]
    _insert(ctx, return_items.TABLE, [found])
    _insert(ctx, return_items.ITEMS, _numbered(items))


def _add_credit_note(ctx: Context) -> None:
    """Add a return that was refunded, now, by the last credit note."""
    note, refunded = data("CreditNote"), data("ReturnRefund")["return"]
    items = [{**item, "id": new_id(ctx.now)} for item in refunded["items"]]
    _add_return(ctx, {**refunded, "id": note["returnId"], "items": items, "externalId": None}, NOT_RESTOCKED)
    amounts = {name: Decimal(str(note[name])) for name in ("subtotal", "tax", "shipping", "total")}
    values = {
        "id": note["id"],
        "company_id": ctx.company_id,
        "order_id": note["orderId"],
        "return_id": note["returnId"],
        "customer_id": note["customerId"],
        "method": RefundMethod.CREDIT_NOTE,
        "reference": None,
        **amounts,
        "goods": amounts["subtotal"],
        "lines": note["lines"],
        "refunded_at": ctx.now,
    }
    issued = credit_notes.issue(ctx, values)
    audit.record(ctx, "credit_note.issued", "credit_note", issued.id, credit_notes.details(issued))
    events.publish(ctx, payloads.credit_note_issued(issued))


def _add_prices(ctx: Context) -> None:
    customer_id = data("MinimalCustomer")["id"]
    page = [{**price, "id": new_id(ctx.now), "customerId": customer_id} for price in data("PriceOverridePage")]
    _insert(ctx, prices.TABLE, page)


def _add_keys(ctx: Context) -> None:
    """Add two keys with unknown plaintexts: the digests are those of random numbers."""
    for key in (data("ApiKey"), {**data("RevokedApiKey"), "revokedAt": None}):
        _insert(ctx, keys.TABLE, [key], digest=hashlib.sha256(secrets.token_bytes(32)).digest())


def _add_webhooks(ctx: Context) -> None:
    """Add two webhooks that are disabled, because nothing receives what they send, and a delivery that failed."""
    webhook, event, delivery = data("Webhook"), data("WebhookEvent"), data("FailedWebhookDelivery")
    for webhook_id in (webhook["id"], data("DeletedWebhook")["id"]):
        _insert(ctx, webhooks.TABLE, [webhook], id=webhook_id, is_active=False, secret=webhook_secrets.generate())
    created_at = at(event["timestamp"], ctx.now)
    payload = orjson.dumps({**event, "timestamp": timestamp(created_at)}).decode()
    values = {"type": event["event"], "entity_id": event["data"]["id"], "payload": payload, "created_at": created_at}
    _insert(ctx, events.TABLE, [event], **values)
    _insert(ctx, deliveries.TABLE, [delivery])


def _numbered(items: Sequence[Json]) -> list[Json]:
    return [{**item, "position": position} for position, item in enumerate(items)]


def _insert(ctx: Context, into: Table, found: Sequence[Json], **values: object) -> None:
    """Insert the members of JSON objects that are columns, and other values."""
    ctx.session.connection().execute(into.insert(), [{**_row(ctx, into, entry), **values} for entry in found])


def _row(ctx: Context, into: Table, entry: Json) -> RowValues:
    members = {spec.snake_case(name): value for name, value in entry.items()}
    columns = {name: _stored(ctx, into.c[name], value) for name, value in members.items() if name in into.c}
    return {**columns, "company_id": ctx.company_id}


def _stored(ctx: Context, column: Column[Any], value: Any) -> object:
    """Return the value of a column for one of JSON."""
    read: Mapping[type, Callable[[Any], object]] = {
        Instant: lambda text: at(text, ctx.now),
        Fixed: lambda number: Decimal(str(number)),
        PriceBreaks: price_breaks.load,
    }
    convert = read.get(type(column.type))
    return value if value is None or convert is None else convert(value)
