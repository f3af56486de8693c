"""The version of a return, from which its entity tag is made (contract, section 9.2)."""

from sqlalchemy import bindparam

from app.queries import tenant
from app.schemas.returns import version_tag
from app.services import orders, products
from app.services.return_items import ITEMS, TABLE
from app.services.versions import Version

# A row for each item: a return has at least one.
VERSION = Version(
    sql=tenant.select(TABLE.c.id, TABLE.c.updated_at, products.TABLE.c.name)
    .join(ITEMS, ITEMS.c.return_id == TABLE.c.id)
    .join(orders.ITEMS, orders.ITEMS.c.id == ITEMS.c.order_item_id)
    .join(products.TABLE, products.TABLE.c.id == orders.ITEMS.c.product_id)
    .where(TABLE.c.id == bindparam("id"))
    .order_by(ITEMS.c.position),
    tag=lambda rows: version_tag(rows[0][0], rows[0][1], (name for _, _, name in rows)),
)
