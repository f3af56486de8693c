"""Several previous secrets of a webhook are valid, each until its expiry."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns. The newest previous secret stays in its column."""
    op.add_column("webhooks", sa.Column("older_secrets", sa.JSON))
    op.add_column("webhooks", sa.Column("older_secrets_expire_at", Instant))


def downgrade() -> None:
    """Drop the columns. Only the newest previous secret remains valid."""
    op.drop_column("webhooks", "older_secrets_expire_at")
    op.drop_column("webhooks", "older_secrets")
