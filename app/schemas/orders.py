"""Orders as JSON, in and out (contract, section 5)."""

from collections.abc import Iterable
from typing import Any

from marshmallow import fields

from app.schemas.base import Amount, Json, Schema, Timestamp

ADDRESS = ("name", "street", "street2", "city", "region", "postalCode", "country")


class OrderItemSchema(Schema):
    """One position of an order; name and sku are the product's of today."""

    id = fields.String(dump_only=True)
    quantity = fields.Integer()
    unit_price = Amount(dump_only=True)
    product_id = fields.String()
    product_name = fields.String(dump_only=True)
    product_sku = fields.String(dump_only=True)


class OrderDraftSchema(Schema):
    """What a client sends to place an order."""

    customer_id = fields.String()
    items = fields.List(fields.Nested(OrderItemSchema))
    po_number = fields.String(allow_none=True, load_default=None)
    notes = fields.String(allow_none=True, load_default=None)
    shipping_address = fields.Dict(allow_none=True, load_default=None)


class OrderSchema(Schema):
    """What a client sees of an order."""

    id = fields.String()
    status = fields.String()
    po_number = fields.String()
    notes = fields.String()
    subtotal = Amount()
    tax = Amount()
    shipping = Amount()
    total = Amount()
    created_at = Timestamp()
    updated_at = Timestamp()
    customer_id = fields.String()

    def with_items(self, row: Any, items: Iterable[Any]) -> Json:
        """Return an order as it stands in a list."""
        return {**self.render(row), "items": [ITEM.render(item) for item in items]}

    def detail(self, row: Any, items: Iterable[Any]) -> Json:
        """Return an order as it stands alone: with its address, every member of it named."""
        address = row.shipping_address
        shown = None if address is None else {name: address.get(name) for name in ADDRESS}
        return {**self.with_items(row, items), "shippingAddress": shown}


ITEM = OrderItemSchema()
