"""The revisions of this code are found by the names of their files, without Alembic."""

import subprocess
import sys

import sqlalchemy as sa
from alembic.migration import MigrationContext

from app import schema_check, schema_version
from app.db import Database
from tests.support.servers import ROOT


def test_the_revisions_are_those_that_alembic_finds() -> None:
    scripts = schema_version.scripts()

    assert schema_check.known() == {script.revision for script in scripts.walk_revisions()}
    assert scripts.get_heads() == [schema_check.head()]


def test_the_revision_of_a_database_is_the_one_that_alembic_reads(fresh_database: Database) -> None:
    with fresh_database.connection() as connection:
        assert schema_check.current(connection) == MigrationContext.configure(connection).get_current_revision()
        assert schema_check.current(connection) == schema_check.head()


def test_a_database_without_tables_has_no_revision() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        assert schema_check.current(connection) is None


def test_a_server_does_not_import_alembic() -> None:
    code = "import sys, app.http.process, app.cli.runtime; print('alembic' in sys.modules)"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, check=True)

    assert run.stdout == b"False\n"
