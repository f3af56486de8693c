"""A company with any number of products, inserted in large batches."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.db import Database
from app.services.products import TABLE
from models import new_id, searchable

BATCH = 10_000
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
COMMON, RARE, OTHER = "Hardware", "Curiosities", "Stationery"


def fill(database: Database, company_id: str, rows: int, advance: Callable[[int], None]) -> None:
    """Insert `rows` products of the category COMMON and, among them, a tenth as many of other categories.

    A batch has one timestamp, as in an import. `advance` is called with the number of inserted products.
    """
    end = total(rows)
    for start in range(0, end, BATCH):
        at = FIRST + timedelta(minutes=start // BATCH)
        batch = [_product(company_id, number, at) for number in range(start, min(start + BATCH, end))]
        with database.transaction(write=True) as session:
            session.connection().execute(TABLE.insert(), batch)
        advance(len(batch))


def total(rows: int) -> int:
    """Return how many products `fill` inserts: every eleventh is not COMMON."""
    return rows + -(-rows // 10)


def _category(number: int) -> str:
    """Return the category of a product; about one in a thousand is RARE."""
    if number % 11:
        return COMMON
    return OTHER if number % 1001 else RARE


def _product(company_id: str, number: int, at: datetime) -> dict[str, Any]:
    name, sku = f"Stainless hexagon bolt, box of {number}", f"SKU-{number:08}"
    return {
        "id": new_id(at),
        "company_id": company_id,
        "name": name,
        "sku": sku,
        "description": f"Corrosion-resistant, full thread, sold by the box. Catalogue number {number}.",
        "category": _category(number),
        "unit": "box",
        "price": Decimal(number % 100_000) / 100,
        "stock": number % 500,
        "low_stock_threshold": 5,
        "image_url": f"https://images.example/{sku}.jpg",
        "is_active": True,
        "search_text": searchable(name, sku, _category(number)),
        "created_at": at,
        "updated_at": at,
    }
