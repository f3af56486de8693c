"""`distribu price`: price overrides, the prices of single customers (contract, section 9.4).

Not in this module: `price import` and `price export` (`app/cli/price_files.py`).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import click
from marshmallow import fields

from app.cli import options, output, runtime
from app.cli.price_files import export, import_file
from app.cli.product_fields import GivenValue, ProductField
from app.db import retrying
from app.errors import InvalidValueError
from app.schemas.base import NOT_GIVEN, Amount, Json, Schema
from app.schemas.customers import CustomerRow
from app.schemas.price_breaks import PriceBreakList, render
from app.schemas.prices import PriceOverrideUpsert
from app.schemas.products import ProductRow
from app.services import companies, customers, price_writes, prices, products
from app.services.pricing import MAX_PRICE
from models import CENT, PriceBreak


class PriceOverrideSchema(Schema):
    """A price override as the command shows it."""

    customer_id = fields.String()
    customer = fields.String()
    product_id = fields.String()
    sku = fields.String()
    product = fields.String()
    price = Amount()
    catalogue_price = Amount()
    price_breaks = PriceBreakList()


SCHEMA = PriceOverrideSchema()


def _customer_and_product(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a customer and a product."""
    customer = click.option(
        "--customer",
        "customer_identifier",
        metavar="EMAIL_OR_ID",
        type=options.TEXT,
        required=True,
        help="The email or id of the customer.",
    )
    product = click.option(
        "--product",
        "product_identifier",
        metavar="SKU_OR_ID",
        type=options.TEXT,
        required=True,
        help="The sku or id of the product.",
    )
    return customer(product(command))


@click.group()
def price() -> None:
    """Set, list, remove, import and export price overrides.

    A price override is the price of a product for one customer. It replaces the catalogue price.
    """


price.add_command(import_file)
price.add_command(export)


@price.command(name="set")
@options.company
@_customer_and_product
@click.argument("amount", metavar="PRICE", type=options.NUMBER)
@click.option(
    "--price-breaks",
    type=ProductField("priceBreaks"),
    metavar="BREAKS",
    help="Unit prices for larger quantities, as in '10=8.00;50=7.50'. An empty text removes them.",
)
@options.as_json
def set_price(
    *,
    slug: str,
    customer_identifier: str,
    product_identifier: str,
    amount: Decimal,
    price_breaks: GivenValue | None,
    as_json: bool,
) -> None:
    """Set the price of a product for a customer.

    New orders of this customer use PRICE and its price breaks instead of those of the product. Without --price-breaks,
    the price breaks do not change.
    """
    breaks = NOT_GIVEN if price_breaks is None else cast("tuple[PriceBreak, ...]", price_breaks.value)
    draft = PriceOverrideUpsert(price=_checked(amount), price_breaks=breaks)

    def attempt() -> Json:
        with runtime.company_context(slug, write=True) as ctx:
            customer, product = customers.find(ctx, customer_identifier), products.find(ctx, product_identifier)
            written = price_writes.put(ctx, customer.id, product.id, draft)
            before = written.before.price if written.before else None
            result = _result(customer, product, price=amount, before=before)
            return {**result, "priceBreaks": render(written.price.price_breaks)}

    output.record(retrying(attempt), as_json=as_json)


@price.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the price overrides of a company, by customer and product."""
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.dump(row) for row in prices.list_all(ctx)]
        currency = companies.find(ctx.session, slug).currency
    if not as_json:
        rows = [{**row, "currency": currency} for row in rows]
    columns = ["customer", "sku", "product", "price", "cataloguePrice", "currency", "priceBreaks"]
    empty = "There are no price overrides. Catalogue prices apply to every customer."
    output.records(rows, as_json=as_json, columns=columns, empty=empty)


@price.command()
@options.company
@_customer_and_product
@options.as_json
def remove(slug: str, customer_identifier: str, product_identifier: str, as_json: bool) -> None:
    """Remove a price override.

    The catalogue price applies to the customer again.
    """
    with runtime.company_context(slug, write=True) as ctx:
        customer, product = customers.find(ctx, customer_identifier), products.find(ctx, product_identifier)
        before = prices.delete(ctx, customer.id, product.id).price
    output.record(_result(customer, product, price=None, before=before), as_json=as_json)


def _checked(price: Decimal) -> Decimal:
    """Return a price to the cent. Raises InvalidValueError if it is not a valid amount."""
    if not 0 <= price <= MAX_PRICE or price != round(price, 2):
        raise InvalidValueError(f"The price must be between 0 and {MAX_PRICE}, with at most 2 decimal places.")
    return price.quantize(CENT)


def _result(customer: CustomerRow, product: ProductRow, *, price: Decimal | None, before: Decimal | None) -> Json:
    """Return the result of a change, as the command prints it. A `price` of None is the catalogue price."""
    return {
        "customerId": customer.id,
        "customer": customer.email,
        "productId": product.id,
        "sku": product.sku,
        "product": product.name,
        "price": None if price is None else float(price),
        "before": None if before is None else float(before),
    }
