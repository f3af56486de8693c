"""Orders as JSON, in responses and requests (contract, section 5)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain

from marshmallow import fields

from app.queries.rows import Row, Rows
from app.schemas.base import (
    EXTERNAL_ID_LENGTH,
    DraftSchema,
    Json,
    NormalizedText,
    StatusResponse,
    row_schema,
    stored_code,
    tagged,
)
from app.schemas.products import ProductKey
from app.schemas.shipments import SHIPMENT_SHAPE, Shipment, shipment
from app.schemas.tags import entity_tag
from models import OrderStatus

ADDRESS = ("name", "street", "street2", "city", "region", "postalCode", "country")
ShippingAddress = Mapping[str, str | None]


class OrderRow(Row):
    """An order without its address."""

    id: str
    status: str
    po_number: str | None
    external_id: str | None
    notes: str | None
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    created_at: datetime
    updated_at: datetime
    customer_id: str | None


class ListedOrderRow(OrderRow):
    """An order in a list, and whether it has shipments."""

    has_shipments: bool


class OrderDetailRow(ListedOrderRow):
    """An order with its address."""

    shipping_address: ShippingAddress | None


class OrderItemRow(Row):
    """An item of an order; the name and sku are the product's current ones."""

    id: str
    quantity: int
    unit_price: Decimal
    product_id: str
    product_name: str
    product_sku: str | None


class ListedOrderItemRow(OrderItemRow):
    """An item in a list with items of several orders."""

    order_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderItemCreate:
    """An item of an order to be placed. Exactly one of `product_id` and `sku` identifies the product."""

    product_id: str | None = None
    sku: str | None = None
    quantity: int

    @property
    def key(self) -> ProductKey:
        """The key of the product."""
        return ProductKey("sku", str(self.sku)) if self.product_id is None else ProductKey("id", self.product_id)

    @property
    def key_name(self) -> str:
        """The JSON name of the key."""
        return "sku" if self.product_id is None else "productId"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderCreate:
    """An order to be placed."""

    customer_id: str
    items: Sequence[OrderItemCreate]
    po_number: str | None = None
    external_id: str | None = None
    notes: str | None = None
    shipping_address: ShippingAddress | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderStatusUpdate:
    """A change to an order's status."""

    status: OrderStatus
    restock: bool = False


class OrderedSku(fields.String):
    """A sku as it is stored. One whose normal form is too long is not rejected, because no product has it."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str:
        return stored_code(value)


class OrderItemCreateSchema(DraftSchema[OrderItemCreate]):
    """An item in the body that places an order."""

    product_id = fields.String()
    sku = OrderedSku()
    quantity = fields.Integer()


class OrderCreateSchema(DraftSchema[OrderCreate]):
    """The body that places an order."""

    customer_id = fields.String()
    items = fields.List(fields.Nested(OrderItemCreateSchema))
    po_number = fields.String(allow_none=True)
    external_id = NormalizedText(EXTERNAL_ID_LENGTH, allow_none=True)
    notes = fields.String(allow_none=True)
    shipping_address = fields.Dict(allow_none=True)


class OrderStatusUpdateSchema(DraftSchema[OrderStatusUpdate]):
    """The body that changes an order's status."""

    status = fields.Enum(OrderStatus, by_value=True)
    restock = fields.Boolean()


ORDER = row_schema(OrderRow)
ITEM = row_schema(OrderItemRow)
SHAPE = f"{ORDER.shape} {ITEM.shape} {ADDRESS} {SHIPMENT_SHAPE}"
ORDER_CREATE = OrderCreateSchema()
ORDER_STATUS_UPDATE = OrderStatusUpdateSchema()


def order_tag(order: OrderRow, items: Iterable[OrderItemRow]) -> str:
    """Return the entity tag of an order. The names and skus of its products change without it, its shipments do not."""
    return version_tag(order.id, order.updated_at, ((item.product_name, item.product_sku) for item in items))


def version_tag(order_id: object, updated_at: object, products: Iterable[tuple[object, object]]) -> str:
    """Return the entity tag of the order with this id, `updated_at` and current names and skus of its products."""
    return entity_tag(SHAPE, (order_id, updated_at, *chain.from_iterable(products)))


def order_with_items(order: OrderRow, items: Iterable[OrderItemRow], shipments: Iterable[Shipment]) -> Json:
    """Return an order of a list: with its items and its shipments."""
    return {
        **ORDER.render(order),
        "items": [ITEM.render(item) for item in items],
        "shipments": [shipment(found) for found in shipments],
    }


def orders_with_items(
    orders: Iterable[OrderRow], items: Rows[ListedOrderItemRow], shipments: Mapping[str, Iterable[Shipment]]
) -> list[Json]:
    """Return the orders of a list as `order_with_items` does, with the items that each of them has among `items`."""
    rendered, items_of = ORDER.render_all(orders), dict[str, list[Json]]()
    for order in rendered:
        order_id = order["id"]
        order["items"] = items_of[order_id] = []
        order["shipments"] = [shipment(one) for one in shipments.get(order_id, ())]
    for order_id, item in zip(items.column("order_id"), ITEM.render_all(items), strict=True):
        items_of[order_id].append(item)
    return rendered


def order_detail(order: OrderDetailRow, items: Iterable[OrderItemRow], shipments: Iterable[Shipment]) -> Json:
    """Return a single order: also with its shipping address, of which every member is present."""
    address = order.shipping_address
    shipping_address = None if address is None else {name: address.get(name) for name in ADDRESS}
    return {**order_with_items(order, items, shipments), "shippingAddress": shipping_address}


def order_response(
    order: OrderDetailRow, items: Sequence[OrderItemRow], shipments: Iterable[Shipment]
) -> StatusResponse:
    """Return the response 200 with a single order and its entity tag."""
    return tagged(order_detail(order, items, shipments), order_tag(order, items))
