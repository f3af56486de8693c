"""Indexes for reports and for lists of what was changed."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the indexes; the one by status gets the total, so that reports need not read the orders themselves."""
    op.drop_index("ix_orders_company_id_status_created_at_id", "orders")
    _index("orders", "status", "created_at", "id", "total")
    _index("orders", "created_at", "customer_id", "status", "total")
    for table in ("orders", "products", "customers"):
        _index(table, "updated_at", "created_at", "id")


def _index(table: str, *columns: str) -> None:
    names = ["company_id", *columns]
    op.create_index("_".join(["ix", table, *names]), table, names)
