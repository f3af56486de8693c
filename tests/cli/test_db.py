"""`distribu db`."""

import os
import stat
from pathlib import Path

from app.schema_version import scripts
from tests.cli.conftest import Command

HEAD = scripts().get_current_head()


class TestUpgrade:
    def test_creates_the_database_and_its_directory(self, bare: Command) -> None:
        assert bare("db", "upgrade", "--json").json == {"from": None, "to": HEAD, "searchIndex": True}
        assert bare("company", "list", "--json").json == []

    def test_only_the_owner_can_read_the_database(self, bare: Command, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            bare("db", "upgrade")
            bare("demo")
        finally:
            os.umask(before)

        data = tmp_path / "data"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [data, *data.iterdir()]}
        assert modes == {"data": 0o700, "distribu.sqlite3": 0o600, "distribu.sqlite3-clock": 0o600, "demo-key": 0o600}

    def test_warns_of_a_database_that_others_can_read(self, bare: Command, tmp_path: Path) -> None:
        bare("db", "upgrade")
        (tmp_path / "data" / "distribu.sqlite3").chmod(0o644)

        assert "Run: chmod 600 data/distribu.sqlite3" in bare("db", "upgrade").err

    def test_prints_what_it_did(self, bare: Command) -> None:
        outcome = bare("db", "upgrade")

        assert outcome.err == f"Created the database at revision {HEAD}.\n"
        assert (outcome.code, outcome.out) == (0, "")

    def test_a_second_run_changes_nothing(self, distribu: Command) -> None:
        outcome = distribu("db", "upgrade", "--json")

        assert outcome.json == {"from": HEAD, "to": HEAD, "searchIndex": True}
        assert outcome.err == f"The database is up to date at revision {HEAD}.\n"
