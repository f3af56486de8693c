"""`distribu shipment`."""

import pytest

from app.db import Database
from app.schemas.shipments import shipment
from app.services import shipments
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.returned_goods import ReturnedGoods


@pytest.fixture
def goods(fresh_database: Database, shop: Tenant) -> ReturnedGoods:
    """Return a company with a shipped order."""
    return ReturnedGoods(fresh_database, shop)


class TestList:
    def test_json_equals_that_of_the_api(self, distribu: Command, goods: ReturnedGoods) -> None:
        listed = distribu("shipment", "list", goods.order, "--company", goods.tenant.slug, "--json").json

        found, _ = goods.run(lambda ctx: shipments.page(ctx, goods.order))
        assert listed == [shipment(one) for one in found]
        assert len(listed) == 1

    def test_prints_carrier_and_quantity(self, distribu: Command, goods: ReturnedGoods) -> None:
        out = distribu("shipment", "list", goods.order, "--company", goods.tenant.slug).out

        assert "Northway" in out
        assert " 14 " in out

    def test_an_unknown_order_is_not_found(self, distribu: Command, goods: ReturnedGoods) -> None:
        other = factories.tenant(goods.database)

        outcome = distribu("shipment", "list", goods.order, "--company", other.slug)

        assert (outcome.code, outcome.error) == (1, "Order not found.")


class TestUpdate:
    @pytest.fixture
    def named(self, goods: ReturnedGoods) -> list[str]:
        """Return the arguments that name the shipment."""
        (found,), _ = goods.run(lambda ctx: shipments.page(ctx, goods.order))
        return ["shipment", "update", goods.order, found[0].id, "--company", goods.tenant.slug]

    def test_only_given_options_are_changed(self, distribu: Command, named: list[str]) -> None:
        numbers = ["--tracking-number", "NF-1", "--tracking-number", "NF-2", "--tracking-number", "NF-1"]
        url = ["--tracking-url", "https://tracking.example/NF-1"]

        changed = distribu(*named, *numbers, *url, "--json").json

        assert (changed["carrier"], changed["trackingNumbers"]) == ("Northway", ["NF-1", "NF-2"])
        assert changed["trackingUrl"] == url[1]
        assert "Southway" in distribu(*named, "--carrier", "Southway").out
        assert distribu(*named, "--carrier", "Southway", "--json").json["trackingNumbers"] == ["NF-1", "NF-2"]

    def test_an_empty_text_clears_a_value(self, distribu: Command, named: list[str]) -> None:
        distribu(*named, "--tracking-number", "NF-1", "--tracking-url", "https://tracking.example/")

        changed = distribu(*named, "--carrier", "", "--tracking-number", "", "--tracking-url", "", "--json").json

        assert (changed["carrier"], changed["trackingNumbers"], changed["trackingUrl"]) == (None, [], None)

    def test_nothing_to_change_is_an_error(self, distribu: Command, named: list[str]) -> None:
        outcome = distribu(*named)

        assert outcome.code == 2
        assert "Nothing to change. Give --carrier, --tracking-number or --tracking-url." in outcome.err

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--tracking-url", "tracking.example"], "must be an http or https URL of at most 2048 characters"),
            ([f"--tracking-number={number}" for number in range(21)], "Give at most 20 tracking numbers, not 21."),
        ],
    )
    def test_an_invalid_option_is_rejected(
        self, distribu: Command, named: list[str], options: list[str], message: str
    ) -> None:
        outcome = distribu(*named, *options)

        assert outcome.code == 2
        assert message in outcome.err

    def test_an_unknown_shipment_is_not_found(self, distribu: Command, goods: ReturnedGoods) -> None:
        named = ["shipment", "update", goods.order, goods.order, "--company", goods.tenant.slug]

        outcome = distribu(*named, "--carrier", "Southway")

        assert (outcome.code, outcome.error) == (1, "Shipment not found.")
