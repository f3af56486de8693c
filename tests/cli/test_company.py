"""`distribu company`."""

import getpass

import pytest

from app.db import Database
from tests.cli.conftest import Command, dump, entries
from tests.support.factories import Tenant


class TestCreate:
    def test_answers_the_company_with_a_slug_made_from_its_name(self, distribu: Command) -> None:
        created = distribu("company", "create", "  Müller & Söhne ", "--json").json

        assert list(created) == ["id", "name", "slug"]
        assert created["id"].startswith("c")
        assert (created["name"], created["slug"]) == ("Müller & Söhne", "muller-sohne")

    def test_takes_a_slug(self, distribu: Command) -> None:
        assert distribu("company", "create", "東京", "--slug", "tokyo", "--json").json["slug"] == "tokyo"

    def test_shows_a_table_to_people(self, distribu: Command) -> None:
        outcome = distribu("company", "create", "[bold]Acme[/bold]")

        assert "[bold]Acme[/bold]" in outcome.out
        assert outcome.out.count("0.00") == 2
        assert outcome.err == ""

    @pytest.mark.parametrize("name", ["東京", "", "x" * 201, "two\nlines"], ids=["slug", "empty", "long", "control"])
    def test_refuses_a_name_that_will_not_do(self, distribu: Command, name: str) -> None:
        assert distribu("company", "create", name).refusal

    def test_refuses_a_slug_that_is_taken(self, distribu: Command) -> None:
        distribu("company", "create", "Acme")

        outcome = distribu("company", "create", "ACME!")

        assert outcome.refusal == "A company with the slug 'acme' already exists."
        assert outcome.code == 1

    def test_is_audited(self, distribu: Command) -> None:
        created = distribu("company", "create", "Acme", "--json").json

        (entry,) = entries(distribu, "acme")
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            "company.created",
            "company",
            created["id"],
        )
        assert (entry["actorType"], entry["actorId"]) == ("USER", getpass.getuser())
        assert entry["metadata"] == {"after": {"name": "Acme", "slug": "acme", "taxRate": 0.0, "shipping": 0.0}}


class TestList:
    def test_answers_every_company_by_slug(self, distribu: Command) -> None:
        second = distribu("company", "create", "Beta", "--json").json
        first = distribu("company", "create", "Alpha", "--json").json

        terms = {"taxRate": 0.0, "shipping": 0.0}
        assert distribu("company", "list", "--json").json == [first | terms, second | terms]

    def test_says_what_to_do_when_there_is_none(self, distribu: Command) -> None:
        outcome = distribu("company", "list")

        assert (outcome.out, outcome.code) == ("", 0)
        assert "distribu company create" in outcome.err


class TestUpdate:
    def test_answers_the_changed_company(self, distribu: Command, shop: Tenant) -> None:
        updated = distribu(
            "company", "update", shop.slug, "--name", " Acme ", "--tax-rate", "0.075", "--shipping", "12.50", "--json"
        ).json

        expected = {"id": shop.company_id, "name": "Acme", "slug": shop.slug, "taxRate": 0.075, "shipping": 12.5}
        assert updated == expected
        assert list(updated) == list(expected)
        assert distribu("company", "list", "--json").json == [expected]

    def test_leaves_what_is_not_given(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--tax-rate", "0.3", "--shipping", "1")

        assert distribu("company", "update", shop.slug, "--shipping", "0", "--json").json["taxRate"] == 0.3

    def test_shows_a_table_with_every_place_of_a_rate(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("company", "update", shop.slug, "--tax-rate", "0.081255", "--shipping", "9.5")

        assert "0.081255" in outcome.out
        assert "9.50" in outcome.out
        assert outcome.err == ""

    def test_is_audited_with_what_changed(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--tax-rate", "0.08", "--shipping", "0")

        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            "company.updated",
            "company",
            shop.company_id,
        )
        assert entry["metadata"] == {"before": {"taxRate": 0.0}, "after": {"taxRate": 0.08}}

    def test_the_same_again_changes_nothing(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
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
            ("--name", "  ", "The name must be between 1 and 200 characters."),
        ],
    )
    def test_refuses_what_breaks_a_rule(
        self, distribu: Command, shop: Tenant, option: str, value: str, message: str
    ) -> None:
        outcome = distribu("company", "update", shop.slug, option, value)

        assert outcome.refusal == message
        assert outcome.code == 1

    def test_refuses_to_change_nothing(self, bare: Command) -> None:
        outcome = bare("company", "update", "acme")

        assert outcome.refusal == "Nothing to change: give --name, --tax-rate or --shipping."
        assert outcome.code == 2

    def test_refuses_an_unknown_company(self, distribu: Command) -> None:
        assert distribu("company", "update", "nobody", "--name", "A").refusal == "Company 'nobody' not found."
