"""${message}.

Must work while the previous version of the code still runs: add first, remove one release later.
Everything in one transaction; a table of millions of rows gets its index in a revision of its own.
"""

import sqlalchemy as sa
from alembic import op

import models.base

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the change."""
    ${upgrades if upgrades else "raise RuntimeError('write the change')"}
