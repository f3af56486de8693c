"""An index to look up orders by their purchase order number."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
NAME = "ix_orders_company_id_po_number_created_at_id"
GIVEN = sa.text("po_number IS NOT NULL")


def upgrade() -> None:
    """Make the index, of the orders that have such a number."""
    columns = ["company_id", "po_number", "created_at", "id"]
    op.create_index(NAME, "orders", columns, postgresql_where=GIVEN, sqlite_where=GIVEN)


def downgrade() -> None:
    """Remove it."""
    op.drop_index(NAME, "orders")
