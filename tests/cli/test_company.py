"""`distribu company`."""

import getpass

import pytest

from app.db import Database
from tests.cli.conftest import Command, dump, entries
from tests.support.factories import Tenant


class TestCreate:
    def test_the_slug_is_made_from_the_name(self, distribu: Command) -> None:
        created = distribu("company", "create", "  Müller & Söhne ", "--json").json

        assert list(created) == ["id", "name", "slug"]
        assert created["id"].startswith("c")
        assert (created["name"], created["slug"]) == ("Müller & Söhne", "muller-sohne")

    def test_the_slug_can_be_given(self, distribu: Command) -> None:
        assert distribu("company", "create", "東京", "--slug", "tokyo", "--json").json["slug"] == "tokyo"

    def test_prints_a_table_by_default(self, distribu: Command) -> None:
        outcome = distribu("company", "create", "[bold]Acme[/bold]")

        assert "[bold]Acme[/bold]" in outcome.out
        assert outcome.out.count("0.00") == 2
        assert outcome.err == ""

    @pytest.mark.parametrize("name", ["東京", "", "x" * 201, "two\nlines"], ids=["slug", "empty", "long", "control"])
    def test_an_invalid_name_is_rejected(self, distribu: Command, name: str) -> None:
        assert distribu("company", "create", name).error

    def test_a_slug_that_exists_is_rejected(self, distribu: Command) -> None:
        distribu("company", "create", "Acme")

        outcome = distribu("company", "create", "ACME!")

        assert outcome.error == "A company with the slug 'acme' already exists."
        assert outcome.code == 1

    @pytest.mark.parametrize(("given", "stored"), [("EUR", "EUR"), ("jpy", "JPY"), (" XCG ", "XCG")])
    def test_the_currency_can_be_given(self, distribu: Command, given: str, stored: str) -> None:
        created = distribu("company", "create", "Acme", "--currency", given, "--json").json

        assert list(created) == ["id", "name", "slug"]
        assert [company["currency"] for company in distribu("company", "list", "--json").json] == [stored]
        assert stored in distribu("company", "list").out

    @pytest.mark.parametrize("currency", ["", "EU", "EURO", "ABC", "XXX", "XAU", "BGN", "\u20ac", "978"])
    def test_an_unknown_currency_is_rejected(self, distribu: Command, currency: str) -> None:
        outcome = distribu("company", "create", "Acme", "--currency", currency)

        message = f"'{currency}' is not the code of a currency in ISO 4217. Use one like EUR or USD."
        assert (outcome.error, outcome.code) == (message, 1)
        assert distribu("company", "list", "--json").json == []

    def test_is_audited(self, distribu: Command) -> None:
        created = distribu("company", "create", "Acme", "--json").json

        (entry,) = entries(distribu, "acme")
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            "company.created",
            "company",
            created["id"],
        )
        assert (entry["actorType"], entry["actorId"]) == ("USER", getpass.getuser())
        assert entry["metadata"] == {
            "after": {"name": "Acme", "slug": "acme", "taxRate": 0.0, "shipping": 0.0, "currency": "USD"}
        }


class TestList:
    def test_companies_are_sorted_by_slug(self, distribu: Command) -> None:
        second = distribu("company", "create", "Beta", "--json").json
        first = distribu("company", "create", "Alpha", "--json").json

        terms = {"taxRate": 0.0, "shipping": 0.0, "currency": "USD"}
        assert distribu("company", "list", "--json").json == [first | terms, second | terms]

    def test_an_empty_list_names_the_command_to_create_one(self, distribu: Command) -> None:
        outcome = distribu("company", "list")

        assert (outcome.out, outcome.code) == ("", 0)
        assert "distribu company create" in outcome.err


class TestUpdate:
    def test_prints_the_changed_company(self, distribu: Command, shop: Tenant) -> None:
        updated = distribu(
            "company", "update", shop.slug, "--name", " Acme ", "--tax-rate", "0.075", "--shipping", "12.50", "--json"
        ).json

        expected = {
            "id": shop.company_id,
            "name": "Acme",
            "slug": shop.slug,
            "taxRate": 0.075,
            "shipping": 12.5,
            "currency": "USD",
        }
        assert updated == expected
        assert list(updated) == list(expected)
        assert distribu("company", "list", "--json").json == [expected]

    def test_values_that_are_not_given_stay(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--tax-rate", "0.3", "--shipping", "1")

        assert distribu("company", "update", shop.slug, "--shipping", "0", "--json").json["taxRate"] == 0.3
        assert '"taxRate": 0.0' in distribu("company", "update", shop.slug, "--tax-rate=-0", "--json").out

    def test_the_table_shows_all_decimals_of_a_rate(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("company", "update", shop.slug, "--tax-rate", "0.081255", "--shipping", "9.5")

        assert "0.081255" in outcome.out
        assert "9.50" in outcome.out
        assert outcome.err == ""

    def test_the_audit_entry_has_the_changed_values_only(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--tax-rate", "0.08", "--shipping", "0")

        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            "company.updated",
            "company",
            shop.company_id,
        )
        assert entry["metadata"] == {"before": {"taxRate": 0.0}, "after": {"taxRate": 0.08}}

    def test_a_new_currency_is_shown_and_audited(self, distribu: Command, shop: Tenant) -> None:
        updated = distribu("company", "update", shop.slug, "--currency", "eur", "--json").json

        assert updated["currency"] == "EUR"
        assert distribu("company", "list", "--json").json == [updated]
        metadata = entries(distribu, shop.slug)[0]["metadata"]
        assert metadata == {"before": {"currency": "USD"}, "after": {"currency": "EUR"}}
        before = entries(distribu, shop.slug)
        assert distribu("company", "update", shop.slug, "--currency", "EUR").code == 0
        assert entries(distribu, shop.slug) == before

    def test_equal_values_change_nothing(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        distribu("company", "update", shop.slug, "--tax-rate", "0.08")
        before = dump(fresh_database)

        assert distribu("company", "update", shop.slug, "--tax-rate", "0.080").code == 0
        assert dump(fresh_database) == before

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--tax-rate", "0.31", "The tax rate must be between 0 and 0.3."),
            ("--tax-rate", "-0.01", "The tax rate must be between 0 and 0.3."),
            ("--tax-rate", "0.0000001", "The tax rate must have at most 6 decimal places."),
            ("--shipping", "-1", "The shipping must be between 0 and 9999999999.99."),
            ("--shipping", "1.005", "The shipping must have at most 2 decimal places."),
            ("--shipping", "10000000000", "The shipping must be between 0 and 9999999999.99."),
            ("--currency", "EURO", "'EURO' is not the code of a currency in ISO 4217. Use one like EUR or USD."),
            ("--name", "  ", "The name must be between 1 and 200 characters."),
        ],
    )
    def test_a_value_outside_its_range_is_rejected(
        self, distribu: Command, shop: Tenant, option: str, value: str, message: str
    ) -> None:
        outcome = distribu("company", "update", shop.slug, option, value)

        assert outcome.error == message
        assert outcome.code == 1

    def test_an_update_without_values_is_rejected(self, bare: Command) -> None:
        outcome = bare("company", "update", "acme")

        assert outcome.error == "Nothing to change: give --name, --tax-rate, --shipping or --currency."
        assert outcome.code == 2

    def test_an_unknown_company_is_rejected(self, distribu: Command) -> None:
        assert distribu("company", "update", "unknown", "--name", "A").error == "Company 'unknown' not found."
