"""Several previous secrets of a webhook sign, each until its expiry."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns. The newest previous secret stays where it is."""
    op.add_column("webhooks", sa.Column("older_secrets", sa.JSON))
    op.add_column("webhooks", sa.Column("older_secrets_expire_at", Instant))


def downgrade() -> None:
    """Drop the columns. Only the newest previous secret continues to sign."""
    op.drop_column("webhooks", "older_secrets_expire_at")
    op.drop_column("webhooks", "older_secrets")
