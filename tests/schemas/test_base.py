"""`RowSchema.render` returns what marshmallow's `dump` returns."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Boolean, Integer, Table
from sqlalchemy.types import TypeEngine

from app.queries import rows
from app.queries.rows import Row
from app.schemas.base import RowSchema
from app.schemas.customers import CUSTOMER, CustomerRow
from app.schemas.orders import ORDER, OrderRow
from app.schemas.products import PRODUCT, ProductRow
from app.services import customers, orders, products
from models import PriceBreak, PriceBreaks
from models.base import Fixed, Instant

FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2200-01-01")


def values(kind: TypeEngine[Any], *, nullable: bool) -> st.SearchStrategy[Any]:
    """Return the values that a column may have."""
    if isinstance(kind, Instant):
        known: st.SearchStrategy[Any] = st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)
    elif isinstance(kind, Fixed):
        known = st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=kind.scale)
    elif isinstance(kind, PriceBreaks):
        return st.lists(st.builds(PriceBreak, st.integers(2), st.decimals(0, 100, places=2)), max_size=20).map(tuple)
    elif isinstance(kind, Boolean):
        known = st.booleans()
    else:
        known = st.integers(0, 2**31 - 1) if isinstance(kind, Integer) else st.text(max_size=20)
    return st.none() | known if nullable else known


@pytest.mark.parametrize(
    ("schema", "row_type", "table"),
    [
        (PRODUCT, ProductRow, products.TABLE),
        (CUSTOMER, CustomerRow, customers.TABLE),
        (ORDER, OrderRow, orders.TABLE),
    ],
    ids=["product", "customer", "order"],
)
@given(data=st.data())
def test_render_equals_dump(schema: RowSchema[Any], row_type: type[Row], table: Table, data: st.DataObject) -> None:
    columns = rows.columns(row_type, table)
    row = [data.draw(values(column.type, nullable=bool(column.nullable))) for column in columns]
    record = SimpleNamespace(**dict(zip([column.name for column in columns], row, strict=True)))

    assert schema.render(row) == schema.dump(record)
    assert list(schema.render(row)) == list(schema.dump(record))
