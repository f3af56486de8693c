"""Running imports of products, and the changes that they have staged."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant, Money

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables of imports."""
    op.create_table(
        "product_imports",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("lease_ends_at", Instant, nullable=False),
        sa.Column("applied_to", Id, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("updated", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("actor_type", sa.String(10), nullable=False),
        sa.Column("actor_id", sa.String(100), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_product_imports"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_product_imports_company_id"),
        sa.UniqueConstraint("company_id", name="uq_product_imports_company_id"),
        sa.CheckConstraint("state IN ('STAGING', 'APPLYING', 'DONE')", name=op.f("ck_product_imports_state")),
    )
    op.create_table(
        "product_import_rows",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("import_id", Id, nullable=False),
        sa.Column("place", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("is_new", sa.Boolean, nullable=False),
        sa.Column("seen_stock", sa.BigInteger),
        sa.Column("seen_updated_at", Instant),
        sa.Column("given", sa.JSON, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("sku", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("category", sa.String(100)),
        sa.Column("unit", sa.String(50), nullable=False),
        sa.Column("price", Money, nullable=False),
        sa.Column("stock", sa.BigInteger, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_product_import_rows"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_product_import_rows_company_id"),
        sa.ForeignKeyConstraint(["import_id"], ["product_imports.id"], name="fk_product_import_rows_import_id"),
        sa.UniqueConstraint("import_id", "place", name="uq_product_import_rows_import_id_place"),
    )


def downgrade() -> None:
    """Drop the tables. Changes that were staged and not applied are lost."""
    op.drop_table("product_import_rows")
    op.drop_table("product_imports")
