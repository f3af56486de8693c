"""Price overrides as JSON, in responses and requests (contract, section 9.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marshmallow import fields

from app.queries.rows import Row
from app.schemas.base import NOT_GIVEN, Amount, DraftSchema, Json, NormalizedText, NotGiven, Schema, row_schema
from app.schemas.customers import CustomerKey
from app.schemas.emails import Email
from app.schemas.price_breaks import PriceBreakList
from app.schemas.products import ProductKey, max_length
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


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkPrice(PriceOverrideUpsert):
    """A price to be set in a bulk request, for the customer and the product that exactly one name each identifies."""

    customer_id: str | None = None
    email: str | None = None
    customer_external_id: str | None = None
    product_id: str | None = None
    sku: str | None = None
    product_external_id: str | None = None

    @property
    def customer(self) -> CustomerKey:
        """The key of the customer."""
        values = {"id": self.customer_id, "email": self.email, "external_id": self.customer_external_id}
        return next(CustomerKey(column, value) for column, value in values.items() if value is not None)

    @property
    def product(self) -> ProductKey:
        """The key of the product."""
        values = {"id": self.product_id, "sku": self.sku, "external_id": self.product_external_id}
        return next(ProductKey(column, value) for column, value in values.items() if value is not None)


class PriceOverrideFields(Schema):
    """The fields of a price override that a client may set."""

    price = Amount()
    price_breaks = PriceBreakList()


class PriceOverrideUpsertSchema(PriceOverrideFields, DraftSchema[PriceOverrideUpsert]):
    """The body that creates or updates a price override."""


class BulkPriceSchema(PriceOverrideFields, DraftSchema[BulkPrice]):
    """An item of a bulk request that sets a price."""

    customer_id = fields.String()
    email = Email()
    customer_external_id = NormalizedText(max_length("external_id"))
    product_id = fields.String()
    sku = NormalizedText(max_length("sku"))
    product_external_id = NormalizedText(max_length("external_id"))


# A price that is deleted and set again is another row, perhaps in the same millisecond.
PRICE_OVERRIDE = row_schema(PriceOverrideRow, version=("id", "updated_at"))
PRICE_OVERRIDE_UPSERT = PriceOverrideUpsertSchema()
BULK_PRICE = BulkPriceSchema()


def deleted(product_id: str) -> Json:
    """Return the response to a deletion."""
    return {"data": {"productId": product_id, "deleted": True}}
