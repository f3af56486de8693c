"""A database that cannot be written for a while: 503 until it can, and then requests succeed without a restart."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app import schema_check, schema_version
from app.errors import DatabaseUnavailableError
from tests.support import factories, local_http, waiting
from tests.support.client import Client, Contract
from tests.support.pgbouncer import pgbouncer
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

UNPRIVILEGED_USER = 65534
ON_POSTGRESQL = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
LOST = ["08006", "25006", "57P01", "57P03"]
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'barred'"
# The bytes 123 to 127 of the file are the locks of readers (https://www.sqlite.org/walformat.html).
HOLD_LOCKS_OF_READERS = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 5, 123)
    print("held", flush=True)
    time.sleep(600)
"""
FAILED = ["53100", "53200", "53300", "57014", "58030"]


def refused(response: httpx.Response) -> bool:
    if response.status_code != 503:
        return False
    assert response.headers["retry-after"] == "2"
    assert response.json()["code"] == "database_unavailable"
    return True


def is_ready(server: Server) -> bool:
    return local_http.get(server.url + "/readyz", timeout=waiting.SECONDS).status_code == 200


@pytest.fixture
def own_store() -> Iterator[PostgresqlStore]:
    """Run a PostgreSQL server that a test may demote."""
    store = PostgresqlStore()
    yield store
    store.close()


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_a_demoted_server_is_503_until_it_is_promoted(
    own_store: PostgresqlStore, way: str, tmp_path: Path, contract: Contract
) -> None:
    url = own_store.create("demoted")
    database = open_database(url)
    tenant = factories.tenant(database)
    database.dispose()
    with (
        pgbouncer(url) as pooled,
        Server(pooled if way == "pooled" else url, tmp_path / "log") as server,
        Client(server.url, tenant.key, contract) as client,
    ):
        assert client.post("/customers", json={"email": "before@example.com"}).status_code == 201
        own_store.demote()
        assert refused(client.post("/customers", json={"email": "a@example.com"}))
        assert refused(client.post("/customers", json={"email": "a@example.com"}, headers={"Idempotency-Key": "k"}))
        assert refused(client.get("/customers"))
        assert not is_ready(server)
        own_store.promote()
        waiting.eventually(lambda: is_ready(server), "the server is ready again")
        assert client.post("/customers", json={"email": "a@example.com"}, headers={"Idempotency-Key": "k"}).is_success
        assert [customer["email"] for customer in client.get("/customers").json()["data"]] == [
            "a@example.com",
            "before@example.com",
        ]


@ON_POSTGRESQL
@pytest.mark.parametrize(("away", "back"), [("NOLOGIN", "LOGIN"), ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1")])
def test_a_role_that_cannot_connect_is_503_until_it_can(
    store: PostgresqlStore, away: str, back: str, tmp_path: Path, contract: Contract
) -> None:
    with store.restricted("barred") as url:
        database = open_database(url)
        schema_version.upgrade(database)
        tenant = factories.tenant(database)
        database.dispose()
        with Server(url, tmp_path / "log") as server, Client(server.url, tenant.key, contract) as client:
            store.execute_in("barred", f"ALTER ROLE barred {away}", TERMINATE)
            assert refused(client.get("/customers"))
            assert not is_ready(server)
            store.execute_in("barred", f"ALTER ROLE barred {back}")
            assert client.get("/customers").status_code == 200
            assert is_ready(server)


@ON_POSTGRESQL
@pytest.mark.parametrize("state", [*LOST, *FAILED])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}], ids=["plain", "idempotent"])
def test_a_temporary_failure_is_503_and_no_broken_connection_is_kept(
    store: PostgresqlStore, server: Server, client: Client, state: str, headers: dict[str, str]
) -> None:
    """The database raises the error, like a server that is demoted between two statements."""
    body = {"email": f"{uuid.uuid4()}@example.com"}
    store.execute_in(
        "shared",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'away %', pg_backend_pid() USING ERRCODE = '{state}'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    try:
        assert refused(client.post("/customers", json=body, headers=headers))
    finally:
        store.execute_in("shared", "DROP FUNCTION fail CASCADE")
    used = int(re.findall(r"away (\d+)", server.log.read_text())[-1])
    if state in LOST:  # until the server has ended the transaction, the key is in use
        waiting.eventually(lambda: used not in store.backends("shared"), "the connection is closed")
    assert client.post("/customers", json=body, headers=headers).status_code == 201
    if state not in LOST:
        assert used in store.backends("shared")


def test_nothing_is_written_to_a_file_that_was_replaced(tmp_path: Path, contract: Contract) -> None:
    """A backup is moved to its place while the server runs. The writes would be in the old file only."""
    store = SqliteStore(tmp_path)
    url, backup, aside = store.create("shop"), tmp_path / "backup.sqlite3", tmp_path / "aside.sqlite3"
    file = tmp_path / "shop.sqlite3"
    database = open_database(url)
    tenant = factories.tenant(database)
    shutil.copy(file, backup)
    with Server(url, tmp_path / "log") as server, Client(server.url, tenant.key, contract) as client:
        assert client.post("/customers", json={"email": "before@example.com"}).status_code == 201
        file.rename(aside)
        assert refused(client.post("/customers", json={"email": "removed@example.com"}))
        backup.rename(file)
        assert refused(client.post("/customers", json={"email": "replaced@example.com"}))
        assert not is_ready(server)
        assert "was replaced or removed while it was in use. Restart Distribu" in server.log.read_text()

        file.rename(backup)
        aside.rename(file)
        assert is_ready(server)
        assert client.post("/customers", json={"email": "after@example.com"}).status_code == 201
        emails = {customer["email"] for customer in client.get("/customers").json()["data"]}
    database.dispose()

    assert emails == {"before@example.com", "after@example.com"}


def test_nothing_is_read_from_a_file_that_replaced_the_database(tmp_path: Path) -> None:
    url, backup, file = SqliteStore(tmp_path).create("shop"), tmp_path / "backup.sqlite3", tmp_path / "shop.sqlite3"
    database = open_database(url)
    shutil.copy(file, backup)
    select = sa.text("SELECT 1 FROM companies")
    with database.transaction() as session:
        session.execute(select)  # the one connection that is open, so that the next one is new
        backup.rename(file)
        with pytest.raises(DatabaseUnavailableError, match="was replaced"), database.transaction() as other:
            other.execute(select)
    database.dispose()


def test_a_process_that_holds_the_locks_of_readers_makes_the_database_unavailable(tmp_path: Path) -> None:
    """SQLite gives up after ten seconds."""
    url = SqliteStore(tmp_path).create("held")
    database = open_database(url)
    with database.transaction() as session:
        session.execute(sa.text("SELECT 1 FROM companies"))
    command = [sys.executable, "-c", HOLD_LOCKS_OF_READERS, str(tmp_path / "held.sqlite3-shm")]
    with waiting.process(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseUnavailableError, match="locking protocol"), database.transaction() as session:
            session.execute(sa.text("SELECT 1 FROM companies"))
    with database.transaction() as session:
        assert session.execute(sa.text("SELECT 1 FROM companies")).all() == []
    database.dispose()


def test_a_database_file_that_is_read_only_is_not_ready() -> None:
    with tempfile.TemporaryDirectory(prefix="distribu-read-only-") as name:
        directory = Path(name)
        directory.chmod(0o777)
        url = SqliteStore(directory).create("kept")
        file = directory / "kept.sqlite3"

        file.chmod(0o666)
        writable = _is_fit(url)
        file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)

        assert (writable, _is_fit(url)) == (True, False)


def _is_fit(url: str) -> bool:
    """Check in a process of a user to whom file permissions apply."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            if os.getuid() == 0:
                os.setuid(UNPRIVILEGED_USER)
            code = 0 if schema_check.is_fit(open_database(url)) else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 1}
    return code == 0
