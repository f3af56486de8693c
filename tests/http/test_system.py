"""What needs no key: health, metrics and the document."""

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

import app
from app import editions
from app.db import Database
from tests.support import factories, local_http, waiting
from tests.support.client import Client, Contract
from tests.support.servers import PostgresqlStore, Server, SqliteStore, free_port


class TestHealth:
    def test_healthz_reports_that_the_process_runs(self, server: Server) -> None:
        response = local_http.get(server.url + "/healthz")

        assert (response.status_code, response.json()) == (200, {"status": "ok", "version": app.__version__})

    def test_readyz_reports_that_the_database_is_ready(self, server: Server) -> None:
        response = local_http.get(server.url + "/readyz")

        assert (response.status_code, response.json()) == (200, {"status": "ready"})

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs"])
    def test_other_methods_are_405(self, server: Server, path: str) -> None:
        response = local_http.post(server.url + path)

        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD, OPTIONS"
        assert local_http.head(server.url + path).status_code == 200
        assert local_http.options(server.url + path).headers["allow"] == "GET, HEAD, OPTIONS"

    def test_a_lost_database_is_503_until_it_returns(
        self, store: SqliteStore | PostgresqlStore, tmp_path: Path, contract: Contract
    ) -> None:
        if not isinstance(store, PostgresqlStore):
            return  # SQLite has no server that could be lost
        url = store.create("lost")
        with Server(url, tmp_path / "log") as server:
            store.rename("lost", "away")
            with Client(server.url, "dk_" + "x" * 43, contract) as client:
                response = client.get("/products")
            assert response.status_code == 503
            assert response.headers["retry-after"] == "2"
            assert response.json()["code"] == "database_unavailable"
            readiness = local_http.get(server.url + "/readyz")
            assert (readiness.status_code, readiness.json()["code"]) == (503, "not_ready")
            assert local_http.get(server.url + "/healthz").status_code == 200
            store.rename("away", "lost")
            with Client(server.url, "dk_" + "x" * 43, contract) as client:
                assert client.get("/products").status_code == 401
            assert local_http.get(server.url + "/readyz").status_code == 200
        store.drop(url)


class TestMetrics:
    def test_responses_are_counted_by_operation_and_status(self, server: Server, client: Client) -> None:
        client.get("/products/nope")

        text = local_http.get(server.url + "/metrics").text

        assert re.search(r'distribu_requests_total\{operation="getProduct",status="404"\} [1-9]', text)
        assert 'distribu_request_seconds_bucket{le="0.1",operation="getProduct"}' in text

    def test_metrics_can_have_a_separate_port(self, sqlite_store: SqliteStore, tmp_path: Path) -> None:
        url, port = sqlite_store.create("metrics"), free_port()
        with Server(url, tmp_path / "log", metrics_port=str(port)) as server:
            assert local_http.get(server.url + "/metrics").status_code == 404
            assert "distribu_requests_total" in local_http.get(f"http://127.0.0.1:{port}/metrics").text
        sqlite_store.drop(url)

    def test_metrics_count_every_process(self, sqlite_store: SqliteStore, tmp_path: Path) -> None:
        url = sqlite_store.create("workers")
        with Server(url, tmp_path / "log", workers="2") as server:
            server.until_processes_serve(2)
            for _ in range(40):
                local_http.get(server.url + "/api/v1/products")
            text = local_http.get(server.url + "/metrics").text
            pids = set(re.findall(r'"message":"Started server process \[(\d+)\]"', server.log.read_text()))
        assert re.search(r'distribu_requests_total\{operation="listProducts",status="401"\} 40', text)
        assert len(pids) == 2
        sqlite_store.drop(url)


class TestLog:
    def test_every_line_is_json_in_a_file(self, sqlite_store: SqliteStore, tmp_path: Path) -> None:
        url = sqlite_store.create("logged")
        with Server(url, tmp_path / "log", workers="2", datebase_url="mistyped") as server:
            local_http.get(server.url + "/api/v1/products")

        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        messages = [line["message"] for line in lines]
        assert any("DISTRIBU_DATEBASE_URL is not a setting" in message for message in messages)
        assert any("Each process counts requests separately" in message for message in messages)
        assert any(f"listens on {server.url}" in message for message in messages)
        assert all({"time", "level", "logger"} <= line.keys() for line in lines)
        sqlite_store.drop(url)


class TestDocument:
    def test_both_forms_are_the_bundled_document(self, anonymous: Client) -> None:
        as_json = anonymous.get("/openapi.json")
        as_yaml = anonymous.get("/openapi.yaml")

        address = str(anonymous.base_url).removesuffix("/api/v1/")
        assert as_json.json() == editions.served("3.0", address) == yaml.safe_load(as_yaml.text)
        assert as_yaml.headers["content-type"] == "application/yaml"

    def test_component_names_are_kept(self, anonymous: Client) -> None:
        document = anonymous.get("/openapi.json").json()

        assert {"Product", "ProductPage", "ErrorResponse", "Pagination"} <= document["components"]["schemas"].keys()
        text = json.dumps(document)
        assert not re.search(r'"\$ref": "(?!#/components/)', text)


class TestProcesses:
    """What the processes of a server share, and what remains when it is killed. The database plays no part in it."""

    @pytest.fixture
    def database_url(self, sqlite_store: SqliteStore) -> Iterator[str]:
        url = sqlite_store.create("processes")
        yield url
        sqlite_store.drop(url)

    def server(self, url: str, directory: Path, workers: int) -> Server:
        server = Server(url, directory / "log", "--no-worker", workers=str(workers))
        server.environment["TMPDIR"] = str(directory)
        return server

    def folders(self, directory: Path) -> set[Path]:
        return set(directory.glob("distribu-metrics-*"))

    def test_a_single_process_needs_no_directory(self, database_url: str, tmp_path: Path) -> None:
        with self.server(database_url, tmp_path, workers=1):
            assert self.folders(tmp_path) == set()

    def test_a_killed_server_frees_its_port_and_the_next_one_removes_its_directory(
        self, database_url: str, tmp_path: Path
    ) -> None:
        server = self.server(database_url, tmp_path, workers=2)
        with server:
            left = self.folders(tmp_path)
            server.kill()
            waiting.eventually(lambda: is_free(server.port), "its processes end")
            assert self.folders(tmp_path) == left
            server.start()
            new = self.folders(tmp_path)
        assert len(left) == len(new) == 1
        assert left.isdisjoint(new)
        assert self.folders(tmp_path) == set()

    def test_an_empty_folder_of_a_server_that_was_killed_early_is_removed(
        self, database_url: str, tmp_path: Path
    ) -> None:
        old, new = tmp_path / "distribu-metrics-old", tmp_path / "distribu-metrics-new"
        old.mkdir()
        new.mkdir()
        an_hour_ago = time.time() - 3600
        os.utime(old, (an_hour_ago, an_hour_ago))

        with self.server(database_url, tmp_path, workers=2):
            assert not old.exists()
            assert new.exists()  # its server may be about to lock it

    def test_the_folder_of_a_running_server_is_kept(self, database_url: str, tmp_path: Path) -> None:
        with self.server(database_url, tmp_path, workers=2) as one:
            used = self.folders(tmp_path)
            with self.server(database_url, tmp_path, workers=2):
                assert self.folders(tmp_path) > used
            assert self.folders(tmp_path) == used
            assert "distribu_requests_total" in local_http.get(one.url + "/metrics").text


def is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


class TestBusyDatabase:
    def test_any_number_of_requests_that_wait_for_a_lock_are_503(
        self, store: SqliteStore | PostgresqlStore, database_url: str, fresh_database: Database, tmp_path: Path
    ) -> None:
        if not isinstance(store, PostgresqlStore):
            return  # SQLite's readers never wait
        keys = [factories.tenant(fresh_database).key for _ in range(2)]
        with Server(database_url, tmp_path / "log") as server, fresh_database.connection() as connection:
            for table, key in zip(("products", "api_keys"), keys, strict=True):
                connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                get = partial(
                    local_http.get,
                    server.url + "/api/v1/products",
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=waiting.SECONDS,
                )
                responses = waiting.concurrently(*[get] * 40)
                assert {response.status_code for response in responses} == {503}
                assert {response.headers["retry-after"] for response in responses} == {"2"}
            assert local_http.get(server.url + "/healthz").status_code == 200

    def test_reads_continue_while_a_writer_holds_the_lock(
        self, store: SqliteStore | PostgresqlStore, database_url: str, fresh_database: Database, tmp_path: Path
    ) -> None:
        headers = {"Authorization": f"Bearer {factories.tenant(fresh_database).key}"}
        with (
            Server(database_url, tmp_path / "log") as server,
            local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=waiting.SECONDS) as http,
        ):
            bodies = [{"email": f"w{number}@example.com"} for number in range(20)]
            posts = [partial(http.post, "/customers", json=body) for body in bodies]
            # On SQLite the transaction itself is the lock: it begins with BEGIN IMMEDIATE.
            lock = "LOCK TABLE customers IN EXCLUSIVE MODE" if isinstance(store, PostgresqlStore) else "SELECT 1"
            with fresh_database.connection() as connection:
                connection.exec_driver_sql(lock)
                with waiting.threads(*posts) as writing:
                    assert [http.get("/products").status_code for _ in range(5)] == [200] * 5
                    assert not any(writer.done() for writer in writing)
                assert {writer.result().status_code for writer in writing} == {503}
            assert http.post("/customers", json={"email": "after@example.com"}).status_code == 201
