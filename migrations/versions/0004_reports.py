"""Indexes for reports and for lists of changed rows."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the indexes. The one by status has the total, so that reports are read from it alone."""
    op.drop_index("ix_orders_company_id_status_created_at_id", "orders")
    _index("orders", "status", "created_at", "id", "total")
    _index("orders", "created_at", "customer_id", "status", "total")
    for table in ("orders", "products", "customers"):
        _index(table, "updated_at", "created_at", "id")


def _index(table: str, *columns: str) -> None:
    names = ["company_id", *columns]
    op.create_index("_".join(["ix", table, *names]), table, names)
