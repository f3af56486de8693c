"""The fast renderer writes what marshmallow itself would."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from app.schemas.products import ProductSchema
from app.services import products

FIRST, LAST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2200-01-01")
MOMENTS = st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)
TEXT = st.none() | st.text(max_size=20)


@given(
    st.builds(
        SimpleNamespace,
        id=st.text(max_size=25),
        name=st.text(max_size=20),
        sku=TEXT,
        description=TEXT,
        category=TEXT,
        unit=st.text(max_size=5),
        price=st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2),
        stock=st.integers(0, 2**31 - 1),
        image_url=TEXT,
        is_active=st.booleans(),
        created_at=MOMENTS,
        updated_at=MOMENTS,
    )
)
def test_render_equals_dump(row: SimpleNamespace) -> None:
    schema = ProductSchema()
    columns = [getattr(row, column.name) for column in schema.columns(products.TABLE)]

    assert schema.render(columns) == schema.dump(row)
    assert list(schema.render(columns)) == list(schema.dump(row))
