"""An index of orders by their purchase order number."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
INDEX_NAME = "ix_orders_company_id_po_number_created_at_id"
HAS_PO_NUMBER = sa.text("po_number IS NOT NULL")


def upgrade() -> None:
    """Create the index of the orders that have such a number."""
    columns = ["company_id", "po_number", "created_at", "id"]
    op.create_index(INDEX_NAME, "orders", columns, postgresql_where=HAS_PO_NUMBER, sqlite_where=HAS_PO_NUMBER)


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(INDEX_NAME, "orders")
