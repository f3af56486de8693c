"""`distribu price`: the prices agreed with single customers (contract, section 6)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click
from marshmallow import fields

from app.cli import options, output, runtime
from app.schemas.base import Amount, Schema
from app.services import customers, pricing, products


class PriceSchema(Schema):
    """What is shown of an agreed price."""

    customer_id = fields.String()
    customer = fields.String()
    product_id = fields.String()
    sku = fields.String()
    product = fields.String()
    price = Amount()
    catalogue_price = Amount()


SCHEMA = PriceSchema()


def _pair(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a customer and a product."""
    for name, metavar in (("--product", "SKU_OR_ID"), ("--customer", "EMAIL_OR_ID")):
        command = click.option(name, metavar=metavar, type=options.TEXT, required=True)(command)
    return command


@click.group()
def price() -> None:
    """Agree prices with single customers, list and remove them."""


@price.command(name="set")
@options.company
@_pair
@click.argument("amount", metavar="PRICE", type=options.NUMBER)
@options.as_json
def agree(slug: str, customer: str, product: str, amount: Decimal, as_json: bool) -> None:
    """Sell a product to a customer for PRICE from now on, whatever the catalogue says."""
    with runtime.company_context(slug, write=True) as ctx:
        buyer, item = customers.find(ctx, customer), products.find(ctx, product)
        before = pricing.agree(ctx, buyer.id, item.id, amount)
    output.record(_result(buyer, item, price=amount, before=before), as_json=as_json)


@price.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List every agreed price of a company, by customer and product."""
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.dump(each) for each in pricing.list_all(ctx)]
    columns = ["customer", "sku", "product", "price", "cataloguePrice"]
    empty = "No price is agreed with any customer; catalogue prices apply."
    output.records(rows, as_json=as_json, columns=columns, empty=empty)


@price.command()
@options.company
@_pair
@options.as_json
def remove(slug: str, customer: str, product: str, as_json: bool) -> None:
    """Let the catalogue's price hold again for a customer."""
    with runtime.company_context(slug, write=True) as ctx:
        buyer, item = customers.find(ctx, customer), products.find(ctx, product)
        before = pricing.revoke(ctx, buyer.id, item.id)
    output.record(_result(buyer, item, price=None, before=before), as_json=as_json)


def _result(buyer: Any, item: Any, *, price: Decimal | None, before: Decimal | None) -> dict[str, Any]:
    """Return what a change did: no price means that the catalogue's holds."""
    return {
        "customerId": buyer.id,
        "customer": buyer.email,
        "productId": item.id,
        "sku": item.sku,
        "product": item.name,
        "price": None if price is None else float(price),
        "before": None if before is None else float(before),
    }
