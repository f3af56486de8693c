"""The column types of the revisions, frozen: a revision creates the same columns no matter how `models/` changes.

A change of a type in `models/base.py` needs a revision, and a new type here in addition to the existing one.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

Id = sa.String(25).with_variant(postgresql.VARCHAR(25, collation="C"), "postgresql")
Instant = sa.BigInteger().with_variant(postgresql.TIMESTAMP(timezone=True, precision=3), "postgresql")


def fixed(scale: int) -> TypeEngine[int]:
    """Return the type of a decimal with `scale` places: `numeric`, on SQLite a whole number of the smallest unit."""
    return sa.BigInteger().with_variant(sa.Numeric(14, scale), "postgresql")


Money = fixed(2)
Rate = fixed(6)
