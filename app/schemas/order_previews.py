"""Order previews as JSON (contract, section 9.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from marshmallow import fields

from app.errors import RefusalError
from app.schemas.base import Amount, Json, Schema
from app.schemas.errors import detail


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPreviewItem:
    """An item of a preview, with the price that the customer would pay and the catalogue price."""

    product_id: str
    sku: str | None
    product_name: str
    quantity: int
    unit_price: Decimal
    list_price: Decimal
    available: int
    line_total: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPreview:
    """What would happen to an order: its items and sums, and the reasons to refuse it."""

    items: Sequence[OrderPreviewItem]
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    problems: Sequence[RefusalError]

    @property
    def can_be_placed(self) -> bool:
        """Whether the order would be placed."""
        return not self.problems


class OrderPreviewItemSchema(Schema):
    """An item of a preview."""

    product_id = fields.String()
    sku = fields.String()
    product_name = fields.String()
    quantity = fields.Integer()
    unit_price = Amount()
    list_price = Amount()
    available = fields.Integer()
    line_total = Amount()


class OrderPreviewSchema(Schema):
    """A preview."""

    can_be_placed = fields.Boolean()
    items = fields.List(fields.Nested(OrderPreviewItemSchema))
    subtotal = Amount()
    tax = Amount()
    shipping = Amount()
    total = Amount()
    problems = fields.Function(lambda preview: [detail(problem).content() for problem in preview.problems])


SCHEMA = OrderPreviewSchema()


def order_preview(preview: OrderPreview) -> Json:
    """Return a preview."""
    content: Json = SCHEMA.dump(preview)
    return content
