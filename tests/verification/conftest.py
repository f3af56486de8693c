"""A company whose ledger, orders and events are consistent."""

import pytest

from app.db import Database
from tests.support.verified_shop import VerifiedShop


@pytest.fixture
def shop(fresh_database: Database) -> VerifiedShop:
    """Return a consistent company in a fresh database."""
    return VerifiedShop(fresh_database)
