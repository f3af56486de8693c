"""`distribu product set` and `product delete`: write single products (contract, section 9.3)."""

from typing import Any

import click

from app.cli import options, output, runtime
from app.cli.product_fields import GivenValue, ProductField
from app.db import retrying
from app.schemas.base import Json
from app.schemas.products import PRODUCT, ProductKey, ProductUpsert
from app.services import product_deletion, product_writes, products


@click.command(name="set")
@options.company
@click.option("--sku", type=ProductField("sku"), help="The sku of the product.")
@click.option(
    "--external-id",
    type=ProductField("externalId"),
    help="The id of the product in another system. With --sku, it is stored with the product.",
)
@click.option("--name", type=ProductField("name"), help="The name. Required for a new product.")
@click.option("--price", type=ProductField("price"), metavar="PRICE", help="The price. Required for a new product.")
@click.option("--stock", type=ProductField("stock"), metavar="N", help="The stock of a new product.")
@click.option("--barcode", type=ProductField("barcode"), help="The barcode: a GTIN with 8, 12, 13 or 14 digits.")
@click.option("--description", type=ProductField("description"), help="The description.")
@click.option("--category", type=ProductField("category"), help="The category.")
@click.option("--unit", type=ProductField("unit"), help="The unit, such as each, case or kg.")
@click.option(
    "--low-stock-threshold", type=ProductField("lowStockThreshold"), metavar="N", help="The low-stock threshold."
)
@click.option("--image-url", type=ProductField("imageUrl"), help="The URL of an image.")
@click.option(
    "--price-breaks",
    type=ProductField("priceBreaks"),
    metavar="BREAKS",
    help="Unit prices for larger quantities, as in '10=8.00;50=7.50'.",
)
@click.option(
    "--min-order-quantity",
    type=ProductField("minOrderQuantity"),
    metavar="N",
    help="The smallest quantity in an order.",
)
@click.option(
    "--order-multiple",
    type=ProductField("orderMultiple"),
    metavar="N",
    help="The quantity in an order is a multiple of N.",
)
@click.option(
    "--max-order-quantity", type=ProductField("maxOrderQuantity"), metavar="N", help="The largest quantity in an order."
)
@click.option("--active/--inactive", "is_active", default=None, help="Whether the product can be ordered.")
@options.as_json
def set_product(slug: str, is_active: bool | None, as_json: bool, **given: GivenValue | None) -> None:
    """Create a product, or change it.

    The product is found by --sku or, without that option, by --external-id. Without --stock, a new product has no
    stock; the stock of an existing one is changed with 'distribu inventory'. Options that are absent change nothing,
    and an empty text clears a value: --barcode ''.
    """
    fields: dict[str, Any] = {name: option.value for name, option in given.items() if option is not None}
    if is_active is not None:
        fields["is_active"] = is_active
    key = _take_key(fields)

    def attempt() -> Json:
        with runtime.company_context(slug, write=True) as ctx:
            return PRODUCT.render(product_writes.upsert(ctx, key, ProductUpsert(**fields)).product)

    output.record(retrying(attempt), as_json=as_json)


@click.command()
@click.argument("identifier", metavar="SKU_OR_ID", type=options.TEXT)
@options.company
@options.as_json
def delete(identifier: str, slug: str, as_json: bool) -> None:
    """Delete a product with its price overrides.

    A product that has been ordered, or whose stock has changed, cannot be deleted. Use 'product set --inactive'
    instead.
    """
    with runtime.company_context(slug, write=True) as ctx:
        product = products.find(ctx, identifier)
        product_deletion.delete(ctx, product.id)
    output.record({"id": product.id, "sku": product.sku, "name": product.name, "deleted": True}, as_json=as_json)


def _take_key(fields: dict[str, Any]) -> ProductKey:
    """Remove the field that identifies the product from `fields`, and return it."""
    for column in ("sku", "external_id"):
        if fields.get(column) is not None:
            return ProductKey(column, str(fields.pop(column)))
    raise click.UsageError("Give --sku or --external-id.")
