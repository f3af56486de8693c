"""The plaintext of an API key is nowhere but in the response that shows it, and a webhook secret only in its row."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.db import Database
from models import Base, StoredResponse
from tests.support import factories, local_http, waiting
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore

CREATE = {"name": "Web shop", "scopes": ["keys:write", "products:read"]}
HOOK = {"url": "https://example.com/hook", "events": ["order.created"]}


class SecretUser:
    """A client that remembers every key and secret that a response shows."""

    def __init__(self, server: Server, key: str) -> None:
        self.http = local_http.client(base_url=server.url + "/api/v1", timeout=waiting.SECONDS)
        self.key = key
        self.keys, self.secrets = [key], list[str]()

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """Send a POST request twice with the same Idempotency-Key; return the resource."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"once{path}"}
        first, second = (self.http.post(path, json=body or {}, headers=headers) for _ in range(2))
        assert first.is_success
        data: dict[str, Any] = first.json()["data"]
        self.keys += [data["key"]] if "key" in data else []
        self.secrets += [data["secret"]] if "secret" in data else []
        assert second.json()["data"] == {**data, **dict.fromkeys(data.keys() & {"key", "secret"})}
        return data

    def misuse(self) -> None:
        """Send the key where it does not belong, and requests that fail."""
        header = {"Authorization": f"Bearer {self.key}"}
        self.http.get(f"/api-keys/{self.key}", headers=header)
        self.http.get(f"/products?search={self.key}", headers=header)
        self.http.get("/products", headers={"Authorization": self.key})
        self.http.get("/products", headers={"Authorization": f"Bearer {self.key}x"})
        self.http.post("/api-keys", json={"key": self.key, "name": 1, "scopes": [self.key]}, headers=header)
        self.http.post("/customers", content=f'{{"email": {self.key}', headers=header)
        self.http.get("/customers", headers={**header, "Authorization": f"Basic {self.key}"})


def search(paths: Iterator[Path], texts: list[str]) -> list[tuple[str, str]]:
    """Return the files that contain one of the texts, each with the text."""
    return [(str(path), text) for path in paths for text in texts if text.encode() in path.read_bytes()]


def rows(database: Database) -> dict[str, str]:
    """Return the content of each table, as text."""
    with database.transaction() as session:
        return {
            table.name: "".join(str(tuple(row)) for row in session.execute(sa.select(table)))
            for table in Base.metadata.sorted_tables
        }


def files(store: SqliteStore | PostgresqlStore, database: Database, directory: Path) -> Iterator[Path]:
    """Yield the files of the database with its write-ahead log, and the logs of the server."""
    yield from directory.glob("log*")
    yield from store.files(database)


def test_no_artefact_has_the_plaintext_of_a_key_or_secret(
    store: SqliteStore | PostgresqlStore, fresh_database: Database, database_url: str, tmp_path: Path
) -> None:
    tenant = factories.tenant(fresh_database)
    with Server(database_url, tmp_path / "log", log_level="DEBUG") as server:
        client = SecretUser(server, tenant.key)
        created = client.post("/api-keys", CREATE)
        client.post(f"/api-keys/{created['id']}/rotate", {"graceSeconds": 0})
        client.key = client.post(f"/api-keys/{tenant.key_id}/rotate")["key"]
        webhook = client.post("/webhooks", HOOK)
        client.post(f"/webhooks/{webhook['id']}/rotate-secret")
        client.misuse()
        command = [sys.executable, "-m", "app.cli", "key", "rotate", created["prefix"], "--json"]
        refused = subprocess.run(command, cwd=ROOT, env=server.environment, capture_output=True, text=True, check=False)
        assert "The API key is Expired" in refused.stderr
        found = search(files(store, fresh_database, tmp_path), client.keys)  # while the write-ahead log exists
        content = rows(fresh_database)
    client.http.close()

    assert len(client.keys) == 4
    assert len(client.secrets) == 2
    assert (found, search(files(store, fresh_database, tmp_path), client.keys)) == ([], [])
    assert "createApiKey" in content["stored_answers"]
    assert [name for name, text in content.items() if re.search(r"dk_[\w-]{43}", text)] == []
    assert [name for name, text in content.items() if any(secret in text for secret in client.secrets)] == ["webhooks"]
    assert search(tmp_path.glob("log*"), client.secrets) == []
    with fresh_database.transaction() as session:
        assert session.query(StoredResponse).count() == 5
