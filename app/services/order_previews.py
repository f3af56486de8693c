"""Order previews: what an order would cost, and whether it can be placed (contract, section 9.4).

A preview and the order that follows it share one calculation (`app/services/order_terms.py`). A preview writes nothing
and locks nothing.
"""

from app.context import Context
from app.schemas.order_previews import OrderPreview, OrderPreviewItem
from app.schemas.orders import OrderCreate
from app.services import order_terms, pricing
from app.services.order_terms import PricedItem


def preview(ctx: Context, draft: OrderCreate) -> OrderPreview:
    """Return what would happen if the order was placed now."""
    terms = order_terms.read(ctx, draft)
    return OrderPreview(
        items=[_item(item) for item in terms.items],
        subtotal=terms.amounts.subtotal,
        tax=terms.amounts.tax,
        shipping=terms.amounts.shipping,
        total=terms.amounts.total,
        problems=terms.problems,
    )


def _item(item: PricedItem) -> OrderPreviewItem:
    return OrderPreviewItem(
        product_id=item.product.id,
        sku=item.product.sku,
        product_name=item.product.name,
        quantity=item.quantity,
        unit_price=item.unit_price,
        list_price=item.product.price,
        available=item.product.stock,
        line_total=pricing.item_amount(item.quantity, item.unit_price),
    )
