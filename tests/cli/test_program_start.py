"""What stops a command before it starts, and how every command ends."""

import fcntl
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

import app
from app import context
from app.cli import failures
from app.db import Database
from models import Company
from tests.cli.conftest import Command, environment
from tests.support import factories, waiting
from tests.support.factories import Tenant

DATABASE_COMMANDS = [
    ("serve",),
    ("company", "list"),
    ("company", "create", "Acme"),
    ("key", "list", "--company", "acme"),
    ("key", "create", "--company", "acme", "--name", "A", "--scope", "all"),
    ("key", "revoke", "dk_123456789"),
    ("company", "update", "acme", "--name", "Acme"),
    ("product", "list", "--company", "acme"),
    ("customer", "list", "--company", "acme"),
    ("order", "list", "--company", "acme"),
    ("order", "show", "c1", "--company", "acme"),
    ("price", "list", "--company", "acme"),
    ("price", "set", "--company", "acme", "--customer", "c1", "--product", "c1", "1"),
    ("price", "remove", "--company", "acme", "--customer", "c1", "--product", "c1"),
    ("audit", "list", "--company", "acme"),
    ("demo",),
]


class TestDatabase:
    @pytest.mark.parametrize("arguments", DATABASE_COMMANDS, ids=" ".join)
    def test_a_missing_database_is_an_error_of_every_command(
        self, bare: Command, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        outcome = bare(*arguments)

        assert outcome.error == "The database data/distribu.sqlite3 does not exist. Run: distribu db upgrade"
        assert outcome.code == 2
        assert list(tmp_path.iterdir()) == []

    def test_the_error_of_an_older_schema_names_the_upgrade(self, bare: Command, tmp_path: Path) -> None:
        (tmp_path / "empty.sqlite3").touch()

        outcome = bare("company", "list", url="sqlite:///empty.sqlite3")

        assert outcome.error == "The database empty.sqlite3 is older than this code. Run: distribu db upgrade"
        assert outcome.code == 2

    @pytest.mark.parametrize("arguments", [("company", "list"), ("db", "upgrade")], ids=" ".join)
    def test_a_newer_schema_is_rejected(
        self, distribu: Command, fresh_database: Database, arguments: tuple[str, ...]
    ) -> None:
        with fresh_database.connection() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

        outcome = distribu(*arguments)

        assert "is newer than this code" in outcome.error
        assert outcome.code == 2

    @pytest.mark.parametrize("arguments", [("company", "list"), ("db", "upgrade")], ids=" ".join)
    def test_a_file_of_another_kind_is_not_changed(
        self, bare: Command, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        file = tmp_path / "letter.txt"
        file.write_text("Dear customer, " * 100)

        outcome = bare(*arguments, url="sqlite:///letter.txt")

        assert "letter.txt cannot be used: it is not an SQLite database" in outcome.error
        assert outcome.code == 2
        assert file.read_text() == "Dear customer, " * 100

    def test_a_directory_that_cannot_be_created_is_an_error(self, bare: Command, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        outcome = bare("db", "upgrade", url="sqlite:///file/distribu.sqlite3")

        assert "file/distribu.sqlite3 cannot be written" in outcome.error
        assert outcome.code == 2

    def test_an_unavailable_database_is_named_without_its_password(self, bare: Command) -> None:
        outcome = bare("company", "list", url="postgresql://user:secret@127.0.0.1:1/shop")

        assert "127.0.0.1:1/shop cannot be used" in outcome.error
        assert "secret" not in outcome.err
        assert outcome.code == 2

    def test_a_busy_database_is_an_error_in_one_line(self, bare: Command, tmp_path: Path) -> None:
        bare("db", "upgrade")
        other = sqlite3.connect(tmp_path / "data" / "distribu.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        outcomes = [bare("company", "create", "Acme"), bare("db", "upgrade")]
        other.close()

        for outcome in outcomes:
            assert outcome.error == (
                "The database is busy: other processes have been writing to it for 5 s. Try again in a moment."
            )
            assert outcome.code == 1


class TestSettings:
    def test_the_error_of_a_setting_says_what_it_accepts(self, bare: Command) -> None:
        outcome = bare("company", "list", port="eighty")

        rule = "Expected a port number from 1 to 65535."
        assert outcome.error == f"DISTRIBU_PORT is 'eighty', which is not valid. {rule}"
        assert outcome.code == 2

    def test_an_unknown_variable_is_ignored_with_a_warning(self, bare: Command) -> None:
        outcome = bare("db", "upgrade", datebase_url="sqlite:///x")

        assert outcome.code == 0
        assert "Warning: DISTRIBU_DATEBASE_URL is not a setting of this version and is ignored." in outcome.err

    def test_a_dotenv_file_is_read(self, bare: Command, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("DISTRIBU_DATABASE_URL=sqlite:///elsewhere.sqlite3\n")

        assert bare("db", "upgrade").code == 0
        assert (tmp_path / "elsewhere.sqlite3").is_file()


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("nonsense",), "No such command 'nonsense'."),
            (("company", "create"), "Missing argument 'NAME'."),
            (("key", "list"), "Missing option '--company'."),
            (("company", "list", "--loud"), "No such option '--loud'."),
            (("product", "import", "none.csv", "--company", "a"), "No such file or directory"),
            (("product", "list", "--company", "a", "--limit", "-1"), "-1 is not between 0 and 1000000000."),
            (("order", "list", "--company", "a", "--status", "LOST"), "'LOST' is not one of 'SUBMITTED',"),
            (("order", "list", "--company", "a", "--since", "monday"), "'monday' is not an ISO 8601 time like"),
            (("customer", "list", "--company", "a", "--status", "NEW"), "'NEW' is not one of 'ACTIVE', 'BLOCKED'."),
            (("company", "update", "a", "--shipping", "free"), "'free' is not a number like 12.50."),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_a_wrong_command_line_is_one_line_and_exit_code_2(
        self, bare: Command, arguments: tuple[str, ...], message: str
    ) -> None:
        outcome = bare(*arguments)

        assert message in outcome.error
        assert outcome.code == 2

    @pytest.mark.parametrize("arguments", [(), ("key",)], ids=["nothing", "key"])
    def test_a_group_without_a_command_prints_its_help(self, bare: Command, arguments: tuple[str, ...]) -> None:
        outcome = bare(*arguments)

        assert "Usage: distribu" in outcome.err
        assert (outcome.code, outcome.out) == (2, "")


class TestEnd:
    def test_a_closed_pipe_prints_no_error(self, tmp_path: Path) -> None:
        reader, writer = os.pipe()
        os.close(reader)

        process = subprocess.run(
            [sys.executable, "-m", "app.cli", "openapi"],
            cwd=tmp_path,
            env=environment(None),
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=waiting.SECONDS,
            check=False,
        )
        os.close(writer)

        assert process.stderr == b""
        assert process.returncode == 1

    def test_a_letter_that_the_terminal_lacks_is_replaced(
        self, database_url: str, fresh_database: Database, shop: Tenant, tmp_path: Path
    ) -> None:
        factories.customer(fresh_database, shop.company_id, name="Crêperie")

        process = subprocess.run(
            [sys.executable, "-m", "app.cli", "customer", "list", "--company", shop.slug],
            cwd=tmp_path,
            env=environment(database_url) | {"PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=waiting.SECONDS,
            check=False,
        )

        assert (process.returncode, process.stderr) == (0, b"")
        assert b"Cr?perie" in process.stdout

    def test_ctrl_c_prints_nothing_and_exits_with_130(self, database_url: str, shop: Tenant, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "app.cli", "product", "import", "-", "--company", shop.slug]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with waiting.process(command, cwd=tmp_path, env=environment(database_url), **pipes) as process:
            assert process.stdin is not None
            process.stdin.write(b"sku,name,price\n")
            process.stdin.flush()
            waiting.eventually(lambda: unread(process.stdin) == 0, "the command reads its input")
            process.send_signal(signal.SIGINT)
            code = process.wait(waiting.SECONDS)
            output, messages = process.communicate(timeout=waiting.SECONDS)

        assert (code, output, messages.strip()) == (130, b"", b"")


def unread(pipe: IO[bytes] | None) -> int:
    """Return the number of unread bytes in a pipe."""
    assert pipe is not None
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


class TestExplanation:
    def statement(self, database: Database, slug: str, name: str | None) -> str | None:
        row = {"id": "c1", "name": name, "slug": slug, "tax_rate": 0, "shipping": 0, "created_at": context.now()}
        with pytest.raises(IntegrityError) as caught, database.connection() as connection:
            connection.execute(sa.insert(Company), row)
        return failures.explain(caught.value)

    def test_a_concurrent_write_and_a_constraint_have_different_messages(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        assert "Another process" in (self.statement(fresh_database, shop.slug, "Other") or "")
        assert "The database reported an error" in (self.statement(fresh_database, "new", None) or "")


class TestVersion:
    def test_needs_neither_a_database_nor_settings(self, bare: Command) -> None:
        outcome = bare("--version", port="eighty")

        assert (outcome.code, outcome.out, outcome.err) == (0, f"distribu {app.__version__}\n", "")


class TestServe:
    def test_the_error_of_a_port_in_use_names_the_address(self, distribu: Command) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            outcome = distribu("serve", port=str(port))

        assert f"127.0.0.1:{port}" in outcome.error
        assert outcome.code == 2
