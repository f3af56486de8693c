"""Companies, API keys and products."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant, Money, Rate

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first three tables."""
    op.create_table(
        "companies",
        sa.Column("id", Id, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("tax_rate", Rate, nullable=False),
        sa.Column("shipping", Money, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_companies"),
        sa.UniqueConstraint("slug", name="uq_companies_slug"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_companies_name")),
        sa.CheckConstraint("length(slug) BETWEEN 1 AND 60", name=op.f("ck_companies_slug")),
        sa.CheckConstraint("tax_rate >= 0", name=op.f("ck_companies_tax_rate")),
        sa.CheckConstraint("shipping >= 0", name=op.f("ck_companies_shipping")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", Id, primary_key=True),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", sa.String(12), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("rate_limit", sa.String(50)),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("last_used_at", Instant),
        sa.Column("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_api_keys_company_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_api_keys_name")),
        sa.CheckConstraint("length(prefix) = 12", name=op.f("ck_api_keys_prefix")),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_api_keys_digest")),
    )
    op.create_index("ix_api_keys_company_id", "api_keys", ["company_id"])
    op.create_index("ix_api_keys_prefix", "api_keys", ["prefix"])
    op.create_table(
        "products",
        sa.Column("id", Id, primary_key=True),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("sku", sa.String(100)),
        sa.Column("description", sa.String(2000)),
        sa.Column("category", sa.String(100)),
        sa.Column("unit", sa.String(50), nullable=False),
        sa.Column("price", Money, nullable=False),
        sa.Column("stock", sa.BigInteger, nullable=False),
        sa.Column("low_stock_threshold", sa.BigInteger, nullable=False),
        sa.Column("image_url", sa.String(2048)),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("company_id", "sku", name="uq_products_company_id_sku"),
        sa.UniqueConstraint("company_id", "id", name="uq_products_company_id_id"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_products_company_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name=op.f("ck_products_name")),
        sa.CheckConstraint("length(unit) BETWEEN 1 AND 50", name=op.f("ck_products_unit")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_products_price")),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_products_stock")),
        sa.CheckConstraint("low_stock_threshold >= 0", name=op.f("ck_products_low_stock_threshold")),
    )
    for columns in (["created_at"], ["category", "created_at"], ["is_active", "created_at"]):
        names = ["company_id", *columns, "id"]
        op.create_index("ix_products_" + "_".join(names), "products", names)
