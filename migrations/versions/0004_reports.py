"""Orders by the time they were placed, with all that reports read of them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Widen the index that the list of orders has."""
    columns = ["company_id", "created_at", "id", "status", "total", "customer_id"]
    op.create_index("ix_orders_placed", "orders", columns)
    op.drop_index("ix_orders_company_id_created_at_id", "orders")
