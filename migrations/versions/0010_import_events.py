"""Staged changes of products have events, and more fields."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id

revision = "0010"
down_revision = "0009"

COLUMNS: dict[str, sa.types.TypeEngine[str] | sa.types.TypeEngine[int]] = {
    "event": sa.Text(),
    "low_stock_id": Id,
    "low_stock_event": sa.Text(),
    "external_id": sa.String(255),
    "barcode": sa.String(14),
    "low_stock_threshold": sa.BigInteger(),
    "image_url": sa.String(2048),
}


def upgrade() -> None:
    """Add the columns. The previous version leaves them null."""
    for name, column_type in COLUMNS.items():
        op.add_column("product_import_rows", sa.Column(name, column_type))


def downgrade() -> None:
    """Drop the columns."""
    for name in reversed(COLUMNS):
        op.drop_column("product_import_rows", name)
