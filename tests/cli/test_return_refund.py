"""`distribu return refund`."""

import pytest

from app.db import Database
from app.schemas.returns import order_return
from tests.cli.conftest import Command, dump
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


def test_a_credit_note_is_issued(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.receive(2)
    options = ["--company", goods.tenant.slug, "--method", "CREDIT_NOTE", "--reference", "CASE-7", "--json"]

    result = distribu("return", "refund", made.row.id, *options).json

    assert result["return"] == order_return(goods.get(made.row.id))
    assert (result["return"]["status"], result["return"]["reference"]) == ("REFUNDED", "CASE-7")
    assert (result["creditNote"]["number"], result["creditNote"]["total"]) == ("CN-000001", 18.19)


def test_the_tables_have_the_amounts(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.receive(2)
    options = ["--amount", "25.00", "--shipping", "5", "--company", goods.tenant.slug]

    outcome = distribu("return", "refund", made.row.id, "--method", "CREDIT_NOTE", *options)

    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert "Status REFUNDED" in lines
    assert "Refunded amount 25.00" in lines
    assert any(line.startswith("CN-000001 18.81 1.19 5.00 25.00 ") for line in lines)
    assert outcome.err == ""


def test_a_manual_refund_has_no_credit_note(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.receive(2)
    options = ["--method", "MANUAL", "--company", goods.tenant.slug]

    assert "Credit note" not in distribu("return", "refund", made.row.id, *options).out

    other = goods.receive(1)
    assert distribu("return", "refund", other.row.id, *options, "--json").json["creditNote"] is None


def test_a_dry_run_changes_nothing(distribu: Command, goods: ReturnedGoods) -> None:
    made = goods.receive(2)
    before = dump(goods.database)
    options = ["--method", "CREDIT_NOTE", "--dry-run", "--company", goods.tenant.slug]

    result = distribu("return", "refund", made.row.id, *options, "--json").json
    outcome = distribu("return", "refund", made.row.id, *options)

    assert (result["creditNote"]["number"], result["creditNote"]["total"]) == (None, 18.19)
    assert result["return"]["refundedAmount"] == 18.19
    assert "18.19" in outcome.out
    assert outcome.err == "Nothing was changed: this was a dry run.\n"
    assert dump(goods.database) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--amount", "136.84"], "Only 136.83 of the order can still be refunded."),
        (["--shipping", "9.51"], "Only 9.50 of the shipping can still be refunded."),
    ],
)
def test_a_refund_that_is_too_high_is_refused(
    distribu: Command, goods: ReturnedGoods, options: list[str], message: str
) -> None:
    made = goods.receive(2)

    outcome = distribu("return", "refund", made.row.id, "--method", "MANUAL", *options, "--company", goods.tenant.slug)

    assert (outcome.code, outcome.error) == (1, message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Missing option '--method'"),
        (["--method", "CASH"], "'CASH' is not one of 'CREDIT_NOTE', 'MANUAL'."),
        (["--method", "MANUAL", "--amount", "0"], "0 is not between 0.01 and 999999999999.99."),
        (["--method", "MANUAL", "--amount", "1.005"], "1.005 has more than two decimals."),
        (["--method", "MANUAL", "--amount", "x"], "'x' is not a number like 12.50."),
        (["--method", "MANUAL", "--shipping", "-0.01"], "-0.01 is not between 0 and 999999999999.99."),
        (["--method", "MANUAL", "--reference", "x" * 256], "must be at most 255 characters."),
    ],
)
def test_an_invalid_option_is_rejected(distribu: Command, shop: Tenant, options: list[str], message: str) -> None:
    outcome = distribu("return", "refund", "x", *options, "--company", shop.slug)

    assert outcome.code == 2
    assert message in outcome.err
