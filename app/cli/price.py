"""`distribu price`: price overrides, the prices of single customers (contract, section 6)."""

from collections.abc import Callable
from decimal import Decimal

import click
from marshmallow import fields

from app.cli import options, output, runtime
from app.db import retrying
from app.errors import InvalidValueError
from app.schemas.base import Amount, Json, Schema
from app.schemas.customers import CustomerRow
from app.schemas.prices import PriceOverrideUpsert
from app.schemas.products import ProductRow
from app.services import customers, price_writes, prices, products
from app.services.pricing import CENT, MAX_PRICE


class PriceOverrideSchema(Schema):
    """A price override as the command shows it."""

    customer_id = fields.String()
    customer = fields.String()
    product_id = fields.String()
    sku = fields.String()
    product = fields.String()
    price = Amount()
    catalogue_price = Amount()


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
    """Set, list and remove price overrides.

    A price override is the price of a product for one customer. It replaces the catalogue price.
    """


@price.command(name="set")
@options.company
@_customer_and_product
@click.argument("amount", metavar="PRICE", type=options.NUMBER)
@options.as_json
def set_price(slug: str, customer_identifier: str, product_identifier: str, amount: Decimal, as_json: bool) -> None:
    """Set the price of a product for a customer.

    New orders of this customer use PRICE instead of the catalogue price.
    """
    draft = PriceOverrideUpsert(price=_checked(amount))

    def attempt() -> Json:
        with runtime.company_context(slug, write=True) as ctx:
            customer, product = customers.find(ctx, customer_identifier), products.find(ctx, product_identifier)
            written = price_writes.put(ctx, customer.id, product.id, draft)
            before = written.before.price if written.before else None
            return _result(customer, product, price=amount, before=before)

    output.record(retrying(attempt), as_json=as_json)


@price.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the price overrides of a company, by customer and product."""
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.dump(row) for row in prices.list_all(ctx)]
    columns = ["customer", "sku", "product", "price", "cataloguePrice"]
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
