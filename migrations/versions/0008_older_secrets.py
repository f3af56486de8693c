"""Several earlier secrets of a webhook sign, each until its own end."""

import sqlalchemy as sa
from alembic import op

from models.base import Instant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the columns; the newest earlier secret stays where it is."""
    op.add_column("webhooks", sa.Column("older_secrets", sa.JSON))
    op.add_column("webhooks", sa.Column("older_secrets_expire_at", Instant))


def downgrade() -> None:
    """Remove them; only the newest earlier secret signs on."""
    op.drop_column("webhooks", "older_secrets_expire_at")
    op.drop_column("webhooks", "older_secrets")
