"""The products, the customer and the order of the demo company that the examples of the document name.

A request that is copied from the document works with the key of the demo company: its ids and skus exist. The values
are those of the examples, and the times are relative to now.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from app import spec
from app.demo import audit_log, ledger, orders
from app.demo.audit_log import OrderHistory
from app.demo.customers import DemoCustomer, OrderableProduct, RowValues, Scenario
from app.demo.ledger import Opening
from app.demo.orders import Charges, Item, PlacedOrder
from models import OrderStatus

CREATED, ORDERED, CONFIRMED = timedelta(days=300), timedelta(days=2), timedelta(days=1)  # before now
PRODUCT_COLUMNS = {"sku": "sku", "name": "name", "description": "description", "category": "category", "unit": "unit"}


class Documented(NamedTuple):
    """The rows of what the document names."""

    products: list[tuple[Opening, RowValues]]
    customer: RowValues
    order: PlacedOrder


def generate(scenario: Scenario, charges: Charges) -> Documented:
    """Return the rows of what the document names."""
    products = [product for product in spec.example("ProductPage")["data"] if product["isActive"]]
    orderable = [_orderable(scenario, product) for product in products]
    customer = spec.example("Customer")["data"]
    return Documented(
        products=[_product(scenario, product) for product in products],
        customer=_customer(scenario, customer),
        order=_order(scenario, _buyer(scenario, customer), orderable, charges),
    )


def _orderable(scenario: Scenario, product: dict[str, Any]) -> OrderableProduct:
    return OrderableProduct(product["id"], Decimal(str(product["price"])), scenario.now - CREATED)


def _product(scenario: Scenario, product: dict[str, Any]) -> tuple[Opening, RowValues]:
    created_at = scenario.now - CREATED
    row = {
        "id": product["id"],
        "company_id": scenario.company_id,
        **{column: product[name] for column, name in PRODUCT_COLUMNS.items()},
        "external_id": product["externalId"],
        "barcode": product["barcode"],
        "price": Decimal(str(product["price"])),
        "stock": product["stock"],
        "low_stock_threshold": product["lowStockThreshold"],
        "is_active": True,
        "created_at": created_at,
        "updated_at": created_at,
    }
    return Opening(product["id"], created_at, created_at, product["stock"]), row


def _customer(scenario: Scenario, customer: dict[str, Any]) -> RowValues:
    created_at = scenario.now - CREATED
    return {
        "id": customer["id"],
        "company_id": scenario.company_id,
        "email": customer["email"],
        "external_id": customer["externalId"],
        "name": customer["name"],
        "status": customer["status"],
        "notes": customer["notes"],
        "credit_limit": Decimal(str(customer["creditLimit"])),
        "tax_rate_override": Decimal(str(customer["taxRateOverride"])),
        "email_verified": customer["emailVerified"],
        "created_at": created_at,
        "updated_at": created_at,
    }


def _buyer(scenario: Scenario, customer: dict[str, Any]) -> DemoCustomer:
    return DemoCustomer(
        id=customer["id"],
        created_at=scenario.now - CREATED,
        blocked_at=None,
        tax_rate_override=Decimal(str(customer["taxRateOverride"])),
        address={},
    )


def _order(
    scenario: Scenario, customer: DemoCustomer, products: Sequence[OrderableProduct], charges: Charges
) -> PlacedOrder:
    """Return the order of the examples, confirmed: its items can be shipped, and then returned."""
    example = spec.example("Order")["data"]
    prices = {product.id: product.price for product in products}
    items = [Item(item["productId"], item["quantity"], prices[item["productId"]]) for item in example["items"]]
    priced = orders.amounts(customer, items, charges)
    row = {**_order_row(scenario, example), **priced}
    placed_at, confirmed_at = scenario.now - ORDERED, scenario.now - CONFIRMED
    rows = orders.item_rows(scenario.company_id, example["id"], placed_at, items)
    details = {
        "id": example["id"],
        "status": OrderStatus.SUBMITTED,
        "total": float(priced["total"]),
        "customerId": customer.id,
        "poNumber": example["poNumber"],
        "itemCount": len(items),
    }
    history = OrderHistory(scenario.company_id, example["id"], details, placed_at, OrderStatus.CONFIRMED, confirmed_at)
    return PlacedOrder(
        row,
        [{**values, "id": item["id"]} for values, item in zip(rows, example["items"], strict=True)],
        list(ledger.changes(example["id"], orders.quantities(items), at=placed_at, cancelled_at=None)),
        list(audit_log.entries(history)),
    )


def _order_row(scenario: Scenario, example: dict[str, Any]) -> RowValues:
    """Return the row of an order without its amounts."""
    return {
        "id": example["id"],
        "company_id": scenario.company_id,
        "customer_id": example["customerId"],
        "status": OrderStatus.CONFIRMED,
        "po_number": example["poNumber"],
        "notes": example["notes"],
        "shipping_address": {name: value for name, value in example["shippingAddress"].items() if value is not None},
        "has_movements": True,
        "created_at": scenario.now - ORDERED,
        "updated_at": scenario.now - CONFIRMED,
    }
