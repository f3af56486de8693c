"""The load generator sends the requests of a scenario to a running server."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.db import Database
from benchmarks import apis, compare, measure, wrk
from benchmarks.apis import Api
from tests.support import debian, factories
from tests.support.client import Client
from tests.support.factories import Tenant
from tests.support.servers import ROOT, Server

PRODUCTS, STOCK = 120, 1_000_000


@pytest.fixture
def api(server: Server, database: Database, tenant: Tenant, client: Client) -> Api:
    """Return the shared server with products and an order."""
    debian.program("wrk", "wrk")
    products = factories.products(database, tenant.company_id, PRODUCTS, stock=STOCK)
    customer = factories.customer(database, tenant.company_id)
    client.post("/orders", json=factories.order_body(customer, (products[0], 1)))
    assert server.process is not None
    return Api(name="Distribu", url=server.url, key=tenant.key, pid=server.process.pid)


def test_a_server_lists_the_ids_of_its_requests(api: Api, tenant: Tenant, database: Database) -> None:
    found = apis.ids(api)

    assert len(set(found.products)) == PRODUCTS
    assert len(found.customers) == 1


@pytest.mark.parametrize("scenario", apis.SCENARIOS)
def test_every_request_of_a_scenario_is_accepted(api: Api, tmp_path: Path, scenario: str) -> None:
    file = wrk.write(tmp_path / "requests", apis.requests(scenario, apis.ids(api)))

    turn = compare.turn(api, file, connections=2, seconds=1)

    assert turn.run.requests > 0
    assert (turn.run.refused, turn.run.failed) == (0, 0)
    assert turn.cpu_ms is not None
    assert turn.cpu_ms > 0


def test_orders_are_placed(api: Api, tenant: Tenant, client: Client, tmp_path: Path) -> None:
    file = wrk.write(tmp_path / "requests", apis.requests("create", apis.ids(api)))

    run = wrk.run(api.url, file, api.key, connections=1, seconds=1)

    audited = client.get("/audit-log?action=order.placed&limit=100").json()["data"]
    assert len(audited) >= min(run.requests, 100)


def test_refused_requests_are_an_error(api: Api, tmp_path: Path) -> None:
    file = wrk.write(tmp_path / "requests", [wrk.Request(method="GET", path="/api/v1/products/none")])

    with pytest.raises(RuntimeError, match=r"Distribu refused \d+ of \d+ requests"):
        compare.turn(api, file, connections=1, seconds=1)


def test_the_process_of_a_server_is_found_by_its_port(api: Api, server: Server) -> None:
    assert measure.listener(server.port) == api.pid
    assert apis.connect("Distribu", server.url, api.key) == api


def test_a_missing_load_generator_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "load"]
    run = subprocess.run(command, cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("Error: wrk is not installed.")
    assert "apt-get install wrk" in run.stderr
