"""Counts of delivery attempts, for the operator."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table. Its rows are inserted with the first attempts."""
    op.create_table(
        "attempt_counts",
        sa.Column("id", Id, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("attempt_counts")
