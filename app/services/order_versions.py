"""The version of an order, from which its entity tag is made (contract, section 9.2)."""

from sqlalchemy import bindparam

from app.queries import tenant
from app.schemas.orders import version_tag
from app.services import products
from app.services.orders import ITEMS, TABLE
from app.services.versions import Version

# A row for each item. An order without items has a row without a product.
VERSION = Version(
    sql=tenant.select(
        TABLE.c.id,
        TABLE.c.updated_at,
        ITEMS.c.id.label("item_id"),
        products.TABLE.c.name,
        products.TABLE.c.sku,
    )
    .outerjoin(ITEMS, ITEMS.c.order_id == TABLE.c.id)
    .outerjoin(products.TABLE, products.TABLE.c.id == ITEMS.c.product_id)
    .where(TABLE.c.id == bindparam("id"))
    .order_by(ITEMS.c.position),
    tag=lambda rows: version_tag(
        rows[0][0], rows[0][1], ((name, sku) for _, _, item_id, name, sku in rows if item_id is not None)
    ),
)
