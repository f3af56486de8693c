"""A server with a fresh demo company, and the document that it serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.programs import DemoShop
from tests.support import factories, local_http
from tests.support.servers import Server, SqliteStore, open_database

LOCAL_RECEIVERS = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "1-65535"}


@pytest.fixture(scope="session")
def shop(sqlite_store: SqliteStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoShop]:
    """Run a server with a fresh demo company."""
    log = tmp_path_factory.mktemp("shop") / "log"
    with Server(sqlite_store.create("shop"), log, sqlite_synchronous="NORMAL", **LOCAL_RECEIVERS) as server:
        database = open_database(server.database_url)
        key = factories.demo_key(database)
        database.dispose()
        yield DemoShop(server.url, key)


@pytest.fixture(scope="session")
def document(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the document as a user downloads it. The 3.1 edition is in the same directory."""
    folder = tmp_path_factory.mktemp("document")
    for name in ("openapi.json", "openapi-3.1.json"):
        (folder / name).write_bytes(local_http.get(f"{shop.url}/api/v1/{name}").content)
    return folder / "openapi.json"
