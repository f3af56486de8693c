"""`distribu demo --orders`: add a long history, safe to run twice.

Its data is tested in tests/demo/.
"""

import pytest

from app.db import Database
from models import Order, Product
from tests.cli.conftest import Command, dump, entries
from tests.support import factories


@pytest.fixture(autouse=True)
def _no_key_of_another_database(fresh_database: Database) -> None:
    if fresh_database.file:
        (fresh_database.file.parent / "demo-key").unlink(missing_ok=True)


def test_adds_orders_up_to_the_given_number(distribu: Command) -> None:
    first = distribu("demo", "--orders", "700", "--json")
    again = distribu("demo", "--orders", "700", "--json")
    more = distribu("demo", "--orders", "1000", "--json")
    fewer = distribu("demo", "--orders", "10", "--json")

    assert [outcome.json["orders"] for outcome in (first, again, more, fewer)] == [700, 700, 1000, 1000]
    assert [outcome.json["products"] for outcome in (first, more)] == [403, 403]
    assert "Added 577 orders." in first.err
    assert "Added 300 orders." in more.err
    assert "Added" not in again.err + fewer.err
    added = [entry for entry in entries(distribu, "demo") if entry["action"] == "demo.orders_added"]
    assert [entry["metadata"] for entry in added] == [{"orders": 300}, {"orders": 577}]


def test_a_number_that_is_reached_already_changes_nothing(distribu: Command, fresh_database: Database) -> None:
    distribu("demo", "--orders", "300")
    before = dump(fresh_database)

    distribu("demo", "--orders", "300")
    distribu("demo")

    assert dump(fresh_database) == before


def test_adds_nothing_to_other_companies(distribu: Command, fresh_database: Database) -> None:
    other = factories.tenant(fresh_database)
    distribu("demo", "--orders", "200")

    assert factories.count(fresh_database, Order, other.company_id) == 0
    assert factories.count(fresh_database, Product, other.company_id) == 0


@pytest.mark.parametrize("number", ["0", "-1", "many", "10000001"])
def test_rejects_an_invalid_number(distribu: Command, number: str) -> None:
    assert "--orders" in distribu("demo", "--orders", number).error
