"""The events of a staged change, prepared before it is applied, so that orders do not wait for them.

The time and the sequence are inserted into the text when the change commits (`statements`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, cast

from app.product_import.comparison import ProductChange
from app.queries import rows
from app.schemas import events as payloads
from app.schemas.base import timestamp
from app.schemas.events import TIME, NewEvent
from app.schemas.products import ProductRow, changed_names
from app.services.products import TABLE
from models import new_id
from models.base import defaults

NAMES = rows.names(ProductRow)
DEFAULTS = defaults(TABLE, NAMES)
AppliedProduct = NamedTuple("AppliedProduct", [(name, object) for name in NAMES])  # type: ignore[misc]


def prepare(
    change: ProductChange, product_id: str, event_id: str, now: datetime, updated_at: datetime | None
) -> Mapping[str, str | None]:
    """Return the columns of the staged row that contain its events.

    `updated_at` is the time of the product after the change, None if it is that of the transaction that applies it.
    """
    time = TIME if updated_at is None else timestamp(updated_at)
    event, low_stock = _changed(change, product_id, now)
    columns = {"event": _template(event, event_id, time), "low_stock_id": None, "low_stock_event": None}
    if low_stock is None:
        return columns
    low_stock_id = new_id(now)
    return columns | {"low_stock_id": low_stock_id, "low_stock_event": _template(low_stock, low_stock_id, time)}


def _template(event: NewEvent, event_id: str, time: str) -> str:
    event.data["updatedAt"] = time
    return payloads.template(event, event_id)


def _changed(change: ProductChange, product_id: str, now: datetime) -> tuple[NewEvent, NewEvent | None]:
    """Return the event of a change, and the one of a stock that falls to its threshold."""
    before = change.existing
    if before is None:
        created = payloads.product_created(_row({**DEFAULTS, **change.fields, "id": product_id}, now))
        created.data["createdAt"] = TIME
        return created, None
    after = _row({**dict(zip(NAMES, before, strict=False)), **change.fields}, now)
    event = payloads.product_updated(after, changed_names(before, after))
    if not after.stock <= after.low_stock_threshold < before.stock:
        return event, None
    return event, payloads.product_low_stock(after, stock=after.stock, at=now)


def _row(values: Mapping[str, object], now: datetime) -> ProductRow:
    return cast("ProductRow", AppliedProduct(**{"created_at": now, **values, "updated_at": now}))
