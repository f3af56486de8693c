"""Products as JSON (contract, section 4)."""

from datetime import datetime
from decimal import Decimal

from app.queries.rows import Row
from app.schemas.base import row_schema


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
    stock: int
    low_stock_threshold: int
    image_url: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


PRODUCT = row_schema(ProductRow)
