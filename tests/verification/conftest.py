"""Companies whose rows are consistent."""

import pytest

from app.db import Database
from tests.support.verified_returns import VerifiedReturns
from tests.support.verified_shop import VerifiedShop


@pytest.fixture
def shop(fresh_database: Database) -> VerifiedShop:
    """Return a consistent company in a fresh database."""
    return VerifiedShop(fresh_database)


@pytest.fixture
def returns(fresh_database: Database) -> VerifiedReturns:
    """Return a consistent company with shipments, returns and refunds in a fresh database."""
    return VerifiedReturns(fresh_database)
