"""Products as JSON (contract, section 4)."""

from marshmallow import fields

from app.schemas.base import Amount, Schema, Timestamp


class ProductSchema(Schema):
    """What a client sees of a product."""

    id = fields.String()
    name = fields.String()
    sku = fields.String()
    description = fields.String()
    category = fields.String()
    unit = fields.String()
    price = Amount()
    stock = fields.Integer()
    image_url = fields.String()
    is_active = fields.Boolean()
    created_at = Timestamp()
    updated_at = Timestamp()
