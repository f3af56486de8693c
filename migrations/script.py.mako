"""${message}.

Must work while the previous version of the code still runs: add first, remove one release later.
A revision is one transaction; the index of a table with millions of rows gets a separate revision.
"""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant, Money, Rate

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the change."""
    ${upgrades if upgrades else "raise RuntimeError('write the change')"}
