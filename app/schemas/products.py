"""Products as JSON, in responses and requests (contract, sections 4, 9.3 and 9.4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from marshmallow import fields

from app import gtin
from app.errors import BODY, QUERY, InvalidParameterError
from app.queries.rows import Row
from app.schemas.base import (
    NOT_GIVEN,
    Amount,
    DraftSchema,
    NormalizedText,
    NotGiven,
    Schema,
    normalized,
    row_schema,
)
from app.schemas.price_breaks import PriceBreakList
from models import PriceBreak, Product
from models.base import table

TABLE = table(Product)


class ProductRow(Row):
    """A product."""

    id: str
    name: str
    sku: str | None
    external_id: str | None
    barcode: str | None
    description: str | None
    category: str | None
    unit: str
    price: Decimal
    price_breaks: tuple[PriceBreak, ...]
    min_order_quantity: int | None
    order_multiple: int | None
    max_order_quantity: int | None
    stock: int
    low_stock_threshold: int
    image_url: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductUpdate:
    """Changes to a product. Fields that are absent do not change."""

    name: str | NotGiven = NOT_GIVEN
    sku: str | NotGiven | None = NOT_GIVEN
    external_id: str | NotGiven | None = NOT_GIVEN
    barcode: str | NotGiven | None = NOT_GIVEN
    description: str | NotGiven | None = NOT_GIVEN
    category: str | NotGiven | None = NOT_GIVEN
    unit: str | NotGiven = NOT_GIVEN
    price: Decimal | NotGiven = NOT_GIVEN
    price_breaks: tuple[PriceBreak, ...] | NotGiven = NOT_GIVEN
    min_order_quantity: int | NotGiven | None = NOT_GIVEN
    order_multiple: int | NotGiven | None = NOT_GIVEN
    max_order_quantity: int | NotGiven | None = NOT_GIVEN
    low_stock_threshold: int | NotGiven = NOT_GIVEN
    image_url: str | NotGiven | None = NOT_GIVEN
    is_active: bool | NotGiven = NOT_GIVEN


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductCreate(ProductUpdate):
    """A product to be created. Fields that are absent get the defaults of their columns."""

    stock: int | NotGiven = NOT_GIVEN


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductUpsert(ProductCreate):
    """A product to be created or updated. Its stock counts only if it is created."""


class ProductKey(NamedTuple):
    """What identifies a product: one of the columns `id`, `sku` and `external_id`, and its value as it is stored."""

    column: str
    value: str

    @property
    def pointer(self) -> str:
        """The pointer to the member that names the product of a price or an adjustment in a bulk request."""
        return {"id": "/productId", "sku": "/sku", "external_id": "/productExternalId"}[self.column]


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkProduct(ProductUpsert):
    """A product to be created or updated in a bulk request: it has at least one of its three keys."""

    id: str | NotGiven = NOT_GIVEN

    @property
    def key(self) -> ProductKey:
        """The first key that is given."""
        values = {"id": self.id, "sku": self.sku, "external_id": self.external_id}
        return next(ProductKey(column, value) for column, value in values.items() if isinstance(value, str))


class Barcode(fields.String):
    """A GTIN without surrounding whitespace."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str:
        return gtin.stored(value)


def _text(column: str, *, allow_none: bool = False) -> NormalizedText:
    return NormalizedText(max_length(column), allow_none=allow_none)


def max_length(column: str) -> int:
    """Return the maximum length of a text of products, in characters."""
    return int(TABLE.c[column].type.length)  # type: ignore[attr-defined]


class ProductUpdateFields(Schema):
    """The fields of a product that a client may change."""

    name = _text("name")
    sku = _text("sku", allow_none=True)
    external_id = _text("external_id", allow_none=True)
    barcode = Barcode(allow_none=True)
    description = _text("description", allow_none=True)
    category = _text("category", allow_none=True)
    unit = _text("unit")
    price = Amount()
    price_breaks = PriceBreakList()
    min_order_quantity = fields.Integer(allow_none=True)
    order_multiple = fields.Integer(allow_none=True)
    max_order_quantity = fields.Integer(allow_none=True)
    low_stock_threshold = fields.Integer()
    image_url = fields.String(allow_none=True)
    is_active = fields.Boolean()


class ProductFields(ProductUpdateFields):
    """The fields of a product that a client may set."""

    stock = fields.Integer()


class ProductUpdateSchema(ProductUpdateFields, DraftSchema[ProductUpdate]):
    """The body that updates a product."""


class ProductCreateSchema(ProductFields, DraftSchema[ProductCreate]):
    """The body that creates a product."""


class ProductUpsertSchema(ProductFields, DraftSchema[ProductUpsert]):
    """The body that creates or updates a product."""


class BulkProductSchema(ProductFields, DraftSchema[BulkProduct]):
    """An item of a bulk request that creates and updates products."""

    id = fields.String()


PRODUCT = row_schema(ProductRow)
PRODUCT_CREATE = ProductCreateSchema()
PRODUCT_UPDATE = ProductUpdateSchema()
PRODUCT_UPSERT = ProductUpsertSchema()
BULK_PRODUCT = BulkProductSchema()


def upsert_key(sku: str | None, external_id: str | None, draft: ProductUpsert) -> ProductKey:
    """Return the key in the query of an upsert. Raises InvalidParameterError unless there is one, only in the query."""
    if (sku is None) == (external_id is None):
        raise InvalidParameterError("sku", "Exactly one of the parameters sku and externalId is required")
    column, name, text = ("external_id", "externalId", external_id) if sku is None else ("sku", "sku", sku)
    if getattr(draft, column) is not NOT_GIVEN:
        raise InvalidParameterError(name, f"{name} is in the query: remove it from the body", parent=BODY)
    return ProductKey(column, normalized(name, str(text), max_length(column), parent=QUERY))


def changed_names(before: ProductRow, after: ProductRow) -> list[str]:
    """Return the JSON names of the fields that differ, in the order of the document, without `updatedAt`."""
    old, new = PRODUCT.render(before), PRODUCT.render(after)
    return [name for name, value in new.items() if name != "updatedAt" and value != old[name]]
