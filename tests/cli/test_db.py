"""`distribu db`."""

from app.schema_version import scripts
from tests.cli.conftest import Command

HEAD = scripts().get_current_head()


class TestUpgrade:
    def test_makes_the_database_and_the_directory_it_lies_in(self, bare: Command) -> None:
        assert bare("db", "upgrade", "--json").json == {"from": None, "to": HEAD, "searchIndex": True}
        assert bare("company", "list", "--json").json == []

    def test_says_what_it_did(self, bare: Command) -> None:
        outcome = bare("db", "upgrade")

        assert outcome.err == f"The database was brought from nothing to revision {HEAD}.\n"
        assert (outcome.code, outcome.out) == (0, "")

    def test_a_second_run_changes_nothing(self, distribu: Command) -> None:
        outcome = distribu("db", "upgrade", "--json")

        assert outcome.json == {"from": HEAD, "to": HEAD, "searchIndex": True}
        assert outcome.err == f"The database is up to date at revision {HEAD}.\n"
