"""`distribu order`: the orders of a company (contract, section 5). Only the API places orders.

Not in this module: `order ship` (`app/cli/order_ship.py`).
"""

from collections.abc import Sequence
from typing import Any

import click

from app.cli import listing, options, output, runtime
from app.cli.order_ship import ship
from app.queries.listing import MAX_LIMIT
from app.schemas.base import Json
from app.schemas.customers import CustomerRow
from app.schemas.order_previews import order_preview
from app.schemas.orders import OrderCreate, OrderItemCreate, OrderItemRow, order_detail, orders_with_items
from app.services import companies, customers, order_previews, orders, pricing
from models import OrderStatus

AMOUNTS = ("subtotal", "tax", "shipping", "total")


@click.group()
def order() -> None:
    """List, show and ship orders, and preview new ones."""


order.add_command(ship)


@order.command(name="list")
@options.company
@options.status_filter(OrderStatus)
@options.customer_filter
@click.option("--po-number", type=options.TEXT, help="Filter by purchase order number.")
@options.external_id_filter
@options.time_filters("orders placed")
@options.limit
@options.as_json
def list_all(slug: str, customer: str | None, limit: int, as_json: bool, **filters: Any) -> None:
    """List orders, newest first."""
    with runtime.company_context(slug) as ctx:
        customer_id = None if customer is None else customers.find(ctx, customer).id

        def fetch(cursor: str | None) -> listing.Page:
            found = orders.page(ctx, limit=MAX_LIMIT, cursor=cursor, customer_id=customer_id, **filters)
            return orders_with_items(found.page.rows, found.items, found.shipments), found.page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["createdAt", "status", "total", "id", "poNumber", "externalId", "customerId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No orders found.")


@order.command()
@click.argument("order_id", metavar="ORDER_ID", type=options.TEXT)
@options.company
@options.as_json
def show(order_id: str, slug: str, as_json: bool) -> None:
    """Show an order with its items, amounts and shipments."""
    with runtime.company_context(slug) as ctx:
        row, items, shipments = orders.get(ctx, order_id)
        customer = None if row.customer_id is None else customers.get(ctx, row.customer_id)
        currency = companies.find(ctx.session, slug).currency
    detail = order_detail(row, items, shipments)
    if as_json:
        output.document(detail)
        return
    output.details(_header(detail, customer, currency))
    columns = ["sku", "product", "quantity", "unitPrice", "amount"]
    output.records([_item(item) for item in items], as_json=False, columns=columns, empty="No items.")
    output.details({name: detail[name] for name in AMOUNTS})
    if detail["shipments"]:
        columns = ["shippedAt", "carrier", "trackingNumbers", "quantity", "id"]
        output.records([_shipment(found) for found in detail["shipments"]], as_json=False, columns=columns, empty="")


@order.command()
@click.argument("items", metavar="SKU=QUANTITY...", type=options.ORDER_ITEM, nargs=-1, required=True)
@options.company
@click.option(
    "--customer", metavar="EMAIL_OR_ID", type=options.TEXT, required=True, help="The email or id of the customer."
)
@options.as_json
def preview(items: Sequence[tuple[str, int]], slug: str, customer: str, as_json: bool) -> None:
    """Show what an order would cost, and whether it can be placed.

    Nothing is stored or reserved. Prices are those of the customer.
    """
    if len(items) > options.MAX_ORDER_ITEMS:
        raise click.UsageError(f"An order has at most {options.MAX_ORDER_ITEMS} items. These are {len(items)}.")
    named = [OrderItemCreate(sku=sku, quantity=quantity) for sku, quantity in items]
    with runtime.company_context(slug) as ctx:
        found = customers.find(ctx, customer)
        content = order_preview(order_previews.preview(ctx, OrderCreate(customer_id=found.id, items=named)))
        currency = companies.find(ctx.session, slug).currency
    if as_json:
        output.document(content)
        return
    output.details({"customer": output.joined((found.name, found.email)), "currency": currency})
    columns = ["sku", "productName", "quantity", "unitPrice", "listPrice", "available", "lineTotal"]
    output.records(content["items"], as_json=False, columns=columns, empty="No items.")
    output.details({name: content[name] for name in AMOUNTS})
    empty = "The order can be placed."
    output.records(content["problems"], as_json=False, columns=["pointer", "message"], empty=empty)


def _header(detail: Json, customer: CustomerRow | None, currency: str) -> Json:
    header = {
        "order": detail["id"],
        "status": detail["status"],
        "placedAt": detail["createdAt"],
        "changedAt": detail["updatedAt"],
        "customer": customer and output.joined((customer.name, customer.email)),
        "poNumber": detail["poNumber"],
        "externalId": detail["externalId"],
        "shipTo": detail["shippingAddress"] and _address(detail["shippingAddress"]),
        "currency": currency,
        "notes": " ".join((detail["notes"] or "").split()),
    }
    return {name: value for name, value in header.items() if value}


def _address(address: Json) -> str:
    city = " ".join(part for part in (address["postalCode"], address["city"]) if part)
    parts = (address[name] for name in ("name", "street", "street2"))
    return output.joined((*parts, city, address["region"], address["country"]))


def _shipment(found: Json) -> Json:
    return {**found, "quantity": sum(item["quantity"] for item in found["items"])}


def _item(item: OrderItemRow) -> Json:
    return {
        "sku": item.product_sku,
        "product": item.product_name,
        "quantity": item.quantity,
        "unitPrice": float(item.unit_price),
        "amount": float(pricing.item_amount(item.quantity, item.unit_price)),
    }
