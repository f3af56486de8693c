"""Price breaks, quantity rules, external ids of customers and orders, and the currency of a company."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Instant

revision = "0011"
down_revision = "0010"
HAS_EXTERNAL_ID = sa.text("external_id IS NOT NULL")
QUANTITY_RULES = ("min_order_quantity", "order_multiple", "max_order_quantity")


def upgrade() -> None:
    """Add the columns. Rows that the previous version writes have the defaults."""
    for table in ("products", "product_import_rows"):
        op.add_column(table, sa.Column("price_breaks", sa.JSON))
        for column in QUANTITY_RULES:
            op.add_column(table, sa.Column(column, sa.BigInteger))
    op.add_column("price_overrides", sa.Column("price_breaks", sa.JSON))
    op.add_column("price_overrides", sa.Column("updated_at", Instant))
    op.create_index(
        "ix_price_overrides_customer", "price_overrides", ["company_id", "customer_id", "created_at", "product_id"]
    )
    op.create_index("ix_price_overrides_company_id_product_id", "price_overrides", ["company_id", "product_id"])
    for table in ("customers", "orders"):
        op.add_column(table, sa.Column("external_id", sa.String(255)))
        op.create_index(
            f"uq_{table}_company_id_external_id",
            table,
            ["company_id", "external_id"],
            unique=True,
            postgresql_where=HAS_EXTERNAL_ID,
            sqlite_where=HAS_EXTERNAL_ID,
        )
    op.add_column("companies", sa.Column("currency", sa.String(3), nullable=False, server_default="USD"))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("companies", "currency")
    for table in ("orders", "customers"):
        op.drop_index(f"uq_{table}_company_id_external_id", table)
        op.drop_column(table, "external_id")
    for index in ("company_id_product_id", "customer"):
        op.drop_index(f"ix_price_overrides_{index}", "price_overrides")
    for column in ("updated_at", "price_breaks"):
        op.drop_column("price_overrides", column)
    for table in ("product_import_rows", "products"):
        for column in ("price_breaks", *QUANTITY_RULES):
            op.drop_column(table, column)
