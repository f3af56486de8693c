"""A client changes its API key while it sends requests to two server processes, and no request fails."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from app.context import now
from app.schemas.times import parse_time
from tests.support import factories, local_http, waiting
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

GRACE_SECONDS = 4
PROMISED = timedelta(seconds=5)  # until every process rejects a key that has ended (contract, section 1)


class KeyHolder:
    """A program that sends requests to all servers in a loop, with the key that it has at the time."""

    def __init__(self, urls: list[str], key: str) -> None:
        self.urls = urls
        self.key = key
        self.refused: list[httpx.Response] = []
        self.sent: dict[str, int] = {}  # by the key

    def work(self, stop: threading.Event) -> None:
        """Send requests until the event is set."""
        with local_http.client(timeout=waiting.SECONDS) as http:
            while not stop.is_set():
                for url in self.urls:
                    key = self.key
                    response = http.get(f"{url}/api/v1/me", headers=authorization(key))
                    self.sent[key] = self.sent.get(key, 0) + 1
                    if response.status_code != 200:
                        self.refused.append(response)


def authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def servers(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Run two processes that serve the same database."""
    url, directory = store.create("rotation"), tmp_path_factory.mktemp("rotation")
    with ExitStack() as stack:
        yield [stack.enter_context(Server(url, directory / f"log{number}", "--no-worker")) for number in range(2)]
    store.drop(url)


def test_a_client_changes_keys_without_a_failed_request(servers: list[Server]) -> None:
    database = open_database(servers[0].database_url)
    tenant = factories.tenant(database)
    database.dispose()
    urls = [server.url for server in servers]
    keys, key_id, client = [tenant.key], tenant.key_id, KeyHolder(urls, tenant.key)

    with waiting.in_background(client.work):
        for number in range(3):
            waiting.eventually(lambda: client.sent.get(keys[-1], 0) >= 4, "both processes have cached the key")
            path = f"{urls[number % 2]}/api/v1/api-keys/{key_id}/rotate"
            rotation = local_http.post(path, json={"graceSeconds": GRACE_SECONDS}, headers=authorization(keys[-1]))
            assert rotation.status_code == 201, rotation.text
            key_id, client.key = (rotation.json()["data"][name] for name in ("id", "key"))
            keys.append(client.key)
        waiting.eventually(lambda: client.sent.get(keys[-1], 0) >= 4, "both processes know the last key")

    assert client.refused == []
    assert set(client.sent) == set(keys)


def test_after_the_grace_period_every_process_rejects_the_old_key(servers: list[Server]) -> None:
    database = open_database(servers[0].database_url)
    tenant = factories.tenant(database)
    database.dispose()
    me = [f"{server.url}/api/v1/me" for server in servers]
    unknown = [local_http.get(url, headers=authorization("dk_" + "A" * 43)) for url in me]
    cached = {local_http.get(url, headers=authorization(tenant.key)).status_code for url in me}
    assert cached == {200}
    path = f"{servers[0].url}/api/v1/api-keys/{tenant.key_id}"
    new = local_http.post(f"{path}/rotate", json={"graceSeconds": 2}, headers=authorization(tenant.key)).json()["data"]
    end = parse_time(local_http.get(path, headers=authorization(new["key"])).json()["data"]["expiresAt"])

    for url, expected in zip(me, unknown, strict=True):
        accepted_at = now()
        while (response := local_http.get(url, headers=authorization(tenant.key))).status_code == 200:
            accepted_at = now()  # when the next request is sent, at the earliest
        assert accepted_at < end + PROMISED
        assert (response.status_code, response.content) == (401, expected.content)
        assert local_http.get(url, headers=authorization(new["key"])).status_code == 200


def test_every_process_rejects_a_key_that_one_of_them_has_revoked(servers: list[Server]) -> None:
    database = open_database(servers[0].database_url)
    tenant = factories.tenant(database)
    key_id, key = factories.api_key(database, tenant.company_id)
    database.dispose()
    me = [f"{server.url}/api/v1/me" for server in servers]
    assert {local_http.get(url, headers=authorization(key)).status_code for url in me} == {200}

    path = f"{servers[0].url}/api/v1/api-keys/{key_id}"
    revoked = local_http.delete(path, headers=authorization(tenant.key)).json()["data"]

    assert local_http.get(me[0], headers=authorization(key)).status_code == 401
    accepted_at = now()
    while local_http.get(me[1], headers=authorization(key)).status_code == 200:
        accepted_at = now()
    assert accepted_at < parse_time(revoked["revokedAt"]) + PROMISED
