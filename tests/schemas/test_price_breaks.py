"""Price breaks between JSON and the model."""

from decimal import Decimal

import pytest

from app.errors import InvalidParameterError
from app.schemas import price_breaks
from app.schemas.base import Schema
from app.schemas.price_breaks import PriceBreakList
from models import PriceBreak


class PriceListSchema(Schema):
    """Price breaks, as an optional field."""

    price_breaks = PriceBreakList()


def test_they_are_loaded_to_the_cent_and_rendered_again() -> None:
    body: list[dict[str, object]] = [{"minQuantity": 2, "price": 8}, {"minQuantity": 10, "price": Decimal("7.5")}]

    loaded = price_breaks.load(body)

    assert [str(entry.price) for entry in loaded] == ["8.00", "7.50"]
    assert loaded == (PriceBreak(2, Decimal(8)), PriceBreak(10, Decimal("7.5")))
    assert price_breaks.render(loaded) == [{"minQuantity": 2, "price": 8.0}, {"minQuantity": 10, "price": 7.5}]


@pytest.mark.parametrize(
    ("quantities", "position", "message"),
    [((2, 2), 1, "2 comes after 2"), ((10, 9), 1, "9 comes after 10"), ((2, 50, 12, 11), 2, "12 comes after 50")],
)
def test_the_first_one_out_of_order_is_rejected(quantities: tuple[int, ...], position: int, message: str) -> None:
    body = [{"minQuantity": quantity, "price": 1} for quantity in quantities]

    with pytest.raises(InvalidParameterError) as raised:
        price_breaks.load(body)

    assert raised.value.pointer == f"/priceBreaks/{position}/minQuantity"
    assert str(raised.value) == f"priceBreaks must be in ascending order of minQuantity: {message}"


def test_null_and_an_empty_list_are_none_and_an_absent_field_stays_absent() -> None:
    schema = PriceListSchema()

    assert schema.load({"priceBreaks": None}) == {"price_breaks": ()}
    assert schema.load({"priceBreaks": []}) == {"price_breaks": ()}
    assert schema.load({}) == {}
