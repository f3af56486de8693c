"""How the commands print a return."""

from collections.abc import Mapping
from typing import NamedTuple

from app.cli import output
from app.context import Context
from app.schemas.base import Json
from app.schemas.customers import CustomerRow
from app.schemas.returns import OrderReturn, order_return
from app.services import companies, customers, orders

HEADER = ("status", "orderId", "externalId", "requestedAt", "approvedAt", "rejectedAt", "receivedAt", "refundedAt")


class Details(NamedTuple):
    """A return as JSON, and what people want to know in addition. `skus` has those of the items of the order by id."""

    returned: Json
    skus: Mapping[str, str | None]
    customer: CustomerRow | None
    currency: str


def read(ctx: Context, found: OrderReturn) -> Details:
    """Return the details of a return."""
    _, items, _ = orders.get(ctx, found.row.order_id)
    return Details(
        returned=order_return(found),
        skus={item.id: item.product_sku for item in items},
        customer=None if found.row.customer_id is None else customers.get(ctx, found.row.customer_id),
        currency=companies.get(ctx).currency,
    )


def show(found: Details, *, as_json: bool) -> None:
    """Print a return, as JSON or as tables."""
    returned = found.returned
    if as_json:
        output.document(returned)
        return
    output.details({name: value for name, value in _header(found).items() if value})
    items = [{**item, "sku": found.skus[item["orderItemId"]]} for item in returned["items"]]
    columns = ["sku", "productName", "quantity", "receivedQuantity", "restockedQuantity", "unitPrice", "reason", "id"]
    output.records(items, as_json=False, columns=columns, empty="No items.")
    output.details({name: returned[name] for name in ("refundableAmount", "refundedAmount")})


def customer_text(customer: CustomerRow | None) -> str:
    """Return the name and the email of a customer."""
    return "" if customer is None else output.joined((customer.name, customer.email))


def _header(found: Details) -> Json:
    returned = found.returned
    return {
        "return": returned["id"],
        **{name: returned[name] for name in HEADER},
        "customer": customer_text(found.customer),
        "currency": found.currency,
        "method": returned["method"],
        "reference": returned["reference"],
        "notes": " ".join((returned["notes"] or "").split()),
    }
