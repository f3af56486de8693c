"""`distribu return receive`."""

import pytest

from app.db import Database
from app.schemas.returns import order_return
from tests.cli.conftest import Command
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


@pytest.mark.parametrize(
    ("arguments", "quantities"),
    [
        ([], [(5, 0), (3, 0)]),
        (["--restock"], [(5, 5), (3, 3)]),
        (["W-1=4"], [(4, 0), (3, 0)]),
        (["W-1=4:2"], [(4, 2), (3, 0)]),
        (["W-1=4:2", "G-1=0", "--restock"], [(4, 2), (0, 0)]),
        (["G-1=2:0", "--restock"], [(5, 5), (2, 0)]),
    ],
)
def test_received_and_restocked_quantities(
    distribu: Command, goods: ReturnedGoods, arguments: list[str], quantities: list[tuple[int, int]]
) -> None:
    made = goods.approve(5, 3)

    received = distribu("return", "receive", made.row.id, *arguments, "--company", goods.tenant.slug, "--json").json

    found = [(item["receivedQuantity"], item["restockedQuantity"]) for item in received["items"]]
    assert (received["status"], found) == ("RECEIVED", quantities)
    assert received == order_return(goods.get(made.row.id))


def test_an_item_can_be_named_by_its_id(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.approve(5, 3)

    outcome = distribu("return", "receive", made.row.id, f"{made.items[1].id}=2:1", "--company", goods.tenant.slug)

    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert f"G-1 Gadget 3 2 1 8.50 {made.items[1].id}" in lines


def test_a_sku_of_several_items_is_ambiguous(distribu: Command, goods: ReturnedGoods) -> None:
    goods.order = goods.ship((goods.widget, 1), (goods.widget, 2))
    made = goods.approve(1, 2)

    outcome = distribu("return", "receive", made.row.id, "W-1=1", "--company", goods.tenant.slug)

    ids = ", ".join(item.id for item in made.items)
    assert (outcome.code, outcome.error) == (1, f"The return has several items 'W-1'. Name one by its id: {ids}.")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["W-2=1"], "The return has no item 'W-2'. Name one by its SKU or its id."),
        (["W-1=1", "W-1=2"], "returnItemId is the same as in /items/0"),
        (["W-1=6"], "Only 5 of Widget can be received."),
        (["W-1=1:2"], "Only 1 of Widget can be restocked."),
        (["W-1=0", "G-1=0"], "received"),
    ],
)
def test_items_that_cannot_be_received_are_refused(
    distribu: Command, goods: ReturnedGoods, items: list[str], message: str
) -> None:
    made = goods.approve(5, 3)

    outcome = distribu("return", "receive", made.row.id, *items, "--company", goods.tenant.slug)

    assert outcome.code == 1
    assert message in outcome.error


def test_a_return_is_received_once(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.receive(5)

    outcome = distribu("return", "receive", made.row.id, "--company", goods.tenant.slug)

    assert outcome.code == 1
    assert "RECEIVED" in outcome.error


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("W-1", "'W-1' is not an item with its quantities like WDG-1=5 or WDG-1=5:3."),
        ("=1", "'=1' is not an item with its quantities like WDG-1=5 or WDG-1=5:3."),
        ("W-1=x", "'x' is not a whole number."),
        ("W-1=1:", "'' is not a whole number."),
        ("W-1=1:2:3", "'2:3' is not a whole number."),
        ("W-1=-1", "-1 is not between 0 and 1000000."),
        ("W-1=1:1000001", "1000001 is not between 0 and 1000000."),
    ],
)
def test_an_invalid_item_is_rejected(distribu: Command, shop: Tenant, item: str, message: str) -> None:
    outcome = distribu("return", "receive", "x", item, "--company", shop.slug)

    assert outcome.code == 2
    assert message in outcome.err
