"""Rate limits do not depend on how clocks are set."""

import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis as client_library

from app.http.windows import Times
from tests.support import factories, local_http
from tests.support.servers import Server, SqliteStore, open_database, redis_server

HOUR = 3600


class ClockServer(Server):
    """A server whose clock a test sets."""

    command = (sys.executable, "-m", "tests.support.settable_clock", "serve")

    def __init__(self, url: str, directory: Path, offset: int = 0, **values: str) -> None:
        super().__init__(url, directory / "log", "--no-worker", **values)
        directory.mkdir(exist_ok=True)
        self._offset = directory / "offset"
        self.environment["CLOCK_OFFSET"] = str(self._offset)
        self.set_clock(offset)

    def set_clock(self, offset: int) -> None:
        self._offset.write_text(str(offset))

    def get(self, key: str) -> httpx.Response:
        return local_http.get(self.url + "/api/v1/products", headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return SqliteStore(tmp_path_factory.mktemp("clock")).create("clock")


def limited_key(url: str, rate_limit: str) -> str:
    database = open_database(url)
    _, key = factories.api_key(database, factories.tenant(database).company_id, rate_limit=rate_limit)
    database.dispose()
    return key


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as redis:
        yield redis


def test_a_clock_that_is_set_back_delays_no_request(url: str, tmp_path: Path) -> None:
    key = limited_key(url, "3/2 seconds")
    with ClockServer(url, tmp_path / "server") as server:
        assert server.get(key).status_code == 200
        server.set_clock(-HOUR)
        responses = [server.get(key) for _ in range(3)]
        assert [response.status_code for response in responses] == [200, 200, 429]
        assert responses[-1].json()["retryAfter"] <= 2

        time.sleep(responses[-1].json()["retryAfter"])

        assert server.get(key).status_code == 200


def test_a_clock_that_is_set_forward_resets_no_limit(url: str, tmp_path: Path) -> None:
    key = limited_key(url, "2/hour")
    with ClockServer(url, tmp_path / "server") as server:
        assert [server.get(key).status_code for _ in range(3)] == [200, 200, 429]

        server.set_clock(2 * HOUR)

        assert server.get(key).status_code == 429


def test_servers_whose_clocks_differ_share_one_window(url: str, tmp_path: Path, shared: str) -> None:
    key = limited_key(url, "10/hour")
    servers = [ClockServer(url, tmp_path / str(offset), offset, rate_limit_storage=shared) for offset in (0, -2 * HOUR)]
    with servers[0], servers[1]:
        responses = [server.get(key) for server in servers * 7]

    assert [response.status_code for response in responses] == [200] * 10 + [429] * 4
    assert all(HOUR - 60 <= response.json()["retryAfter"] <= HOUR for response in responses[10:])


def test_a_redis_clock_that_is_set_back_delays_no_request(url: str, tmp_path: Path, shared: str) -> None:
    key = limited_key(url, "2/minute")
    with (
        ClockServer(url, tmp_path / "server", rate_limit_storage=shared) as server,
        client_library.Redis.from_url(shared) as redis,
    ):
        assert [server.get(key).status_code for _ in range(3)] == [200, 200, 429]
        (window,) = redis.keys()
        for index, entry in enumerate(redis.lrange(window, 0, -1)):
            redis.lset(window, index, float(entry) + HOUR)  # as if the clock had been an hour ahead

        assert [server.get(key).status_code for _ in range(3)] == [200, 200, 429]


def test_times_are_kept_as_in_a_deque() -> None:
    chance, now = random.Random(26), 0.0
    times, expected = Times(), deque[float]()
    for _ in range(5_000):
        now += chance.choice([0.0, 0.1, 3.0])
        amount = chance.choice([0, 1, 1, 1, 50])
        times.add(now, amount)
        expected.extend([now] * amount)
        until = now - chance.choice([0.0, 1.0, 10.0, 200.0])
        times.remove_until(until)
        while expected and expected[0] <= until:
            expected.popleft()

        assert [times.after(number) for number in range(len(times))] == list(expected)
