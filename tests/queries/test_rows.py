"""A row type is checked against its statement at import, and a draft against its schema."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest
import sqlalchemy as sa
from marshmallow import fields

import app
from app.queries.rows import Row, Statement
from app.schemas.base import Amount, DraftSchema, row_schema
from app.services import products
from models.base import Fixed, Instant
from tests.support.servers import ROOT

COLUMNS = products.TABLE.c
PYTHON_TYPES = {
    Instant: datetime,
    Fixed: Decimal,
    sa.Boolean: bool,
    sa.Integer: int,
    sa.String: str,
    sa.LargeBinary: bytes,
}


class PriceRow(Row):
    sku: str | None
    price: Decimal


class StockRow(PriceRow):
    stock: int


class TestStatement:
    def test_the_columns_of_the_type_are_accepted(self) -> None:
        Statement(PriceRow, products.TABLE.select().with_only_columns(COLUMNS.sku, COLUMNS.price))

    def test_a_subclass_adds_its_columns_at_the_end(self) -> None:
        Statement(StockRow, products.TABLE.select().with_only_columns(COLUMNS.sku, COLUMNS.price, COLUMNS.stock))

    def test_a_subclass_may_narrow_the_type_of_a_column(self) -> None:
        class NamedPriceRow(StockRow):
            sku: str

        row = NamedPriceRow(("A-1", Decimal(1), 5))

        assert (row.sku, row.price, row.stock) == ("A-1", Decimal(1), 5)

    def test_returned_columns_are_checked_too(self) -> None:
        with pytest.raises(TypeError, match="PriceRow: column 1 must be sku, but is name"):
            Statement(PriceRow, products.TABLE.update().returning(COLUMNS.name, COLUMNS.price))

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (("price", "sku"), "PriceRow: column 1 must be sku, but is price"),
            (("sku", "stock"), "PriceRow: column 2 must be price, but is stock"),
            (("sku",), "PriceRow: column 2 must be price, but is None"),
            (("sku", "price", "stock"), "PriceRow: column 3 must be None, but is stock"),
        ],
    )
    def test_other_columns_are_rejected(self, names: tuple[str, ...], message: str) -> None:
        with pytest.raises(TypeError, match=message):
            Statement(PriceRow, products.TABLE.select().with_only_columns(*(COLUMNS[name] for name in names)))

    def test_a_column_that_may_be_null_needs_a_type_that_says_so(self) -> None:
        class SkuRow(Row):
            sku: str

        with pytest.raises(TypeError, match=r"SkuRow\.sku: the type has no None, but products\.sku may be null"):
            Statement(SkuRow, products.TABLE.select().with_only_columns(COLUMNS.sku))

    def test_a_name_that_every_row_has_already_is_rejected(self) -> None:
        class CountRow(Row):
            count: int  # type: ignore[assignment]

        with pytest.raises(TypeError, match=r"CountRow\.count: every row already has"):
            Statement(CountRow, products.TABLE.select().with_only_columns(COLUMNS.stock.label("count")))


def test_a_schema_renders_no_column_that_a_subclass_of_its_type_adds() -> None:
    assert row_schema(PriceRow).render(StockRow(("A-1", Decimal(1), 5))) == {"sku": "A-1", "price": 1.0}


class TestDraftSchema:
    def test_a_dataclass_with_other_fields_is_rejected(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Price:
            sku: str
            price: Decimal

        class PriceSchema(DraftSchema[Price]):
            sku = fields.String()
            amount = Amount()

        with pytest.raises(TypeError, match="differ in"):
            PriceSchema()


def statements() -> Iterator[tuple[str, Statement[Any]]]:
    """Yield every statement of the application that is a constant."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, Statement):
                    yield f"{module.name}.{name}", value


@pytest.mark.parametrize("statement", [pytest.param(statement, id=name) for name, statement in statements()])
def test_a_row_type_has_the_types_of_its_columns(statement: Statement[Any]) -> None:
    hints = get_type_hints(statement.row_type)
    for column, (name, hint) in zip(statement.sql.exported_columns, hints.items(), strict=True):
        accepted = {*get_args(hint), hint}
        expected = next((python for kind, python in PYTHON_TYPES.items() if isinstance(column.type, kind)), None)
        assert expected is None or accepted & {expected}, f"{name} is {column.type}, not {hint}"


def test_swapped_columns_of_a_real_statement_stop_the_import() -> None:
    source = (ROOT / "app/services/orders.py").read_text()
    name, sku = (f'    products.TABLE.c.{column}.label("product_{column}"),\n' for column in ("name", "sku"))
    assert name + sku in source

    with pytest.raises(TypeError, match="ListedOrderItemRow: column 5 must be product_name, but is product_sku"):
        exec(compile(source.replace(name + sku, sku + name), "orders.py", "exec"), {"__name__": "swapped"})
