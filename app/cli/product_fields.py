"""Options for the fields of a product, with the rules of a CSV import."""

from typing import NamedTuple

import click

from app.product_import import product_cells
from app.product_import.comparison import DEFAULTS
from app.product_import.product_cells import Value
from app.product_import.product_csv import FIELDS

CLEARABLE = {
    "externalId",
    "barcode",
    "description",
    "category",
    "imageUrl",
    "priceBreaks",
    "minOrderQuantity",
    "orderMultiple",
    "maxOrderQuantity",
}


class GivenValue(NamedTuple):
    """The value of an option that is given, which may clear the field."""

    value: Value


class ProductField(click.ParamType[GivenValue]):
    """A field of a product, with the rules of a CSV import. An empty text clears a field that can be empty."""

    name = "text"

    def __init__(self, column: str) -> None:
        """Initialize with the column of a CSV file that has the field."""
        self._column = column

    def convert(self, value: str | GivenValue, param: click.Parameter | None, ctx: click.Context | None) -> GivenValue:
        """Read the value."""
        if isinstance(value, GivenValue):
            return value
        try:
            found = GivenValue(product_cells.parser(self._column, ".")(value.strip()))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        if found.value is not None:
            return found
        if self._column not in CLEARABLE:
            self.fail("must not be empty.", param, ctx)
        return GivenValue(DEFAULTS[FIELDS[self._column]])
