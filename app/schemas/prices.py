"""Price overrides as JSON, in responses and requests (contract, section 9.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.queries.rows import Row
from app.schemas.base import NOT_GIVEN, Amount, DraftSchema, Json, NotGiven, Schema, row_schema
from app.schemas.price_breaks import PriceBreakList
from models import PriceBreak


class PriceOverrideRow(Row):
    """The price of a product for one customer."""

    product_id: str
    price: Decimal
    price_breaks: tuple[PriceBreak, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceOverrideUpsert:
    """A price override to be created or updated. Price breaks that are absent do not change."""

    price: Decimal
    price_breaks: tuple[PriceBreak, ...] | NotGiven = NOT_GIVEN


class PriceOverrideFields(Schema):
    """The fields of a price override that a client may set."""

    price = Amount()
    price_breaks = PriceBreakList()


class PriceOverrideUpsertSchema(PriceOverrideFields, DraftSchema[PriceOverrideUpsert]):
    """The body that creates or updates a price override."""


PRICE_OVERRIDE = row_schema(PriceOverrideRow)
PRICE_OVERRIDE_UPSERT = PriceOverrideUpsertSchema()


def deleted(product_id: str) -> Json:
    """Return the response to a deletion."""
    return {"data": {"productId": product_id, "deleted": True}}
