"""Counts of attempts to deliver, for the operator."""

import sqlalchemy as sa
from alembic import op

from models.base import Id

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table; its rows come with the first attempts."""
    op.create_table(
        "attempt_counts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("attempt_counts")
