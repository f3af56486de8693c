"""`distribu company`."""

import pytest

from tests.cli.conftest import Command


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
        assert outcome.err == ""

    @pytest.mark.parametrize("name", ["東京", "", "x" * 201, "two\nlines"], ids=["slug", "empty", "long", "control"])
    def test_refuses_a_name_that_will_not_do(self, distribu: Command, name: str) -> None:
        assert distribu("company", "create", name).refusal

    def test_refuses_a_slug_that_is_taken(self, distribu: Command) -> None:
        distribu("company", "create", "Acme")

        outcome = distribu("company", "create", "ACME!")

        assert outcome.refusal == "A company with the slug 'acme' already exists."
        assert outcome.code == 1


class TestList:
    def test_answers_every_company_by_slug(self, distribu: Command) -> None:
        second = distribu("company", "create", "Beta", "--json").json
        first = distribu("company", "create", "Alpha", "--json").json

        assert distribu("company", "list", "--json").json == [first, second]

    def test_says_what_to_do_when_there_is_none(self, distribu: Command) -> None:
        outcome = distribu("company", "list")

        assert (outcome.out, outcome.code) == ("", 0)
        assert "distribu company create" in outcome.err
