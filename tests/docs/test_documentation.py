"""The documentation is correct: its commands and samples run, its links resolve, and its lists are complete."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks import WebhookVerificationError

from app import spec
from app.config import VARIABLE_PREFIX, Settings
from app.db import Database
from app.delivery import signing
from app.services import webhook_secrets
from models import Product
from tests.support import factories, local_http, waiting
from tests.support.debian import program
from tests.support.factories import Tenant
from tests.support.receiver import Receiver
from tests.support.sealed_log import SealedLog
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database, settings

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RECIPES = (ROOT / "docs/recipes.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def samples(text: str) -> dict[str, Any]:
    """Return what the Python samples of a page define."""
    names: dict[str, Any] = {}
    for block in blocks(text, "python"):
        exec(block, names)
    return names


def curl_lines(server: Server) -> list[str]:
    """Return the curl commands of docs/recipes.md, for this server."""
    commands = [block for block in blocks(RECIPES, "sh") if block.startswith("curl")]
    return [command.strip().replace("http://127.0.0.1:8000", server.url) for command in commands]


def shell(line: str, key: str) -> Any:
    """Return the JSON that a command prints."""
    environment = os.environ | {"KEY": key}
    run = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def limited_key(database: Database, tenant: Tenant, rate_limit: str) -> str:
    return factories.api_key(database, tenant.company_id, rate_limit=rate_limit)[1]


def requests(server: Server, **labels: str) -> float:
    """Return the number of requests with these labels."""
    families = text_string_to_metric_families(local_http.get(server.url + "/metrics").text)
    counts = (sample for family in families for sample in family.samples if sample.name == "distribu_requests_total")
    return sum(count.value for count in counts if labels.items() <= count.labels.items())


class TestRecipes:
    def test_the_commands_for_a_company_work(self, database_url: str, tmp_path: Path) -> None:
        (tmp_path / "products.csv").write_text("sku,name,price\nFL-1,Rye flour 25 kg,21.50\n")
        environment = os.environ | {"DISTRIBU_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
        lines = [line[2:] for block in blocks(RECIPES, "console") for line in block.splitlines()]

        assert len(lines) == 7
        for line in ['distribu company create "Acme Foods"', *lines]:
            program, *arguments = shlex.split(line)
            assert program == "distribu"
            command = [sys.executable, "-m", "app.cli", *arguments]
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
        assert "Rye flour 25 kg" in run.stdout

    def test_the_curl_command_for_a_key_returns_its_company(self, server: Server, tenant: Tenant) -> None:
        (line, _, _, _) = curl_lines(server)

        assert shell(line, tenant.key)["data"]["company"]["slug"] == tenant.slug

    def test_the_curl_command_returns_products_of_the_demo_company(self, server: Server, database: Database) -> None:
        (_, line, _, _) = curl_lines(server)

        assert len(shell(line, factories.demo_key(database))["data"]) == 10

    def test_the_curl_command_for_a_webhook_can_be_repeated(self, server: Server, tenant: Tenant) -> None:
        (_, _, _, line) = curl_lines(server)

        made, again = shell(line, tenant.key), shell(line, tenant.key)

        assert made["data"].pop("secret").startswith("whsec_")
        assert again["data"].pop("secret") is None  # shown once
        assert again == made

    def test_the_curl_commands_wait_as_long_as_retry_after_says(
        self, server: Server, tenant: Tenant, database: Database
    ) -> None:
        factories.product(database, tenant.company_id, sku="DRY-0001")
        for line in curl_lines(server):
            key = limited_key(database, tenant, "1 per 5 seconds")
            refused = requests(server, status="429")
            local_http.get(server.url + "/api/v1/products", headers={"Authorization": f"Bearer {key}"})

            assert shell(line, key)["data"] is not None
            assert requests(server, status="429") > refused

    def test_the_sample_reads_every_product(self, server: Server, tenant: Tenant, database: Database) -> None:
        created = factories.products(database, tenant.company_id, 230)

        read = samples(RECIPES)["products"](server.url + "/api/v1", tenant.key)

        assert {product["id"] for product in read} == set(created)

    def test_the_sample_waits_for_the_rate_limit(self, server: Server, tenant: Tenant, database: Database) -> None:
        created = factories.products(database, tenant.company_id, 430)
        key = limited_key(database, tenant, "2 per 4 seconds")
        refused = requests(server, status="429", operation="listProducts")

        read = samples(RECIPES)["products"](server.url + "/api/v1", key)

        assert [product["id"] for product in read] == created[::-1]
        assert requests(server, status="429", operation="listProducts") > refused

    def test_the_sample_waits_for_a_busy_database(
        self, server: Server, tenant: Tenant, database: Database, store: SqliteStore | PostgresqlStore
    ) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=5)
        refused = requests(server, status="503", operation="createOrder")
        # On SQLite, BEGIN IMMEDIATE of the transaction takes the lock.
        lock = "LOCK TABLE orders IN EXCLUSIVE MODE" if isinstance(store, PostgresqlStore) else "SELECT 1"

        headers = {"Authorization": f"Bearer {tenant.key}"}
        with (
            local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=60) as api,
            ThreadPoolExecutor(1) as thread,
        ):
            with database.connection() as connection:
                connection.exec_driver_sql(lock)
                order = thread.submit(samples(RECIPES)["place_order"], api, customer, {product: 2})
                waiting.eventually(
                    lambda: requests(server, status="503", operation="createOrder") > refused, "an order is refused"
                )
            assert order.result()["items"][0]["quantity"] == 2
            assert api.get("/products/" + product).json()["data"]["stock"] == 3

    def test_the_sample_places_an_order(self, server: Server, tenant: Tenant, database: Database) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=5)

        headers = {"Authorization": f"Bearer {tenant.key}"}
        with local_http.client(base_url=server.url + "/api/v1", headers=headers) as api:
            order = samples(RECIPES)["place_order"](api, customer, {product: 2})

        assert order["items"][0]["quantity"] == 2

    def test_the_sample_previews_the_order_that_follows(
        self, server: Server, tenant: Tenant, database: Database
    ) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=5)
        python = samples(RECIPES)

        headers = {"Authorization": f"Bearer {tenant.key}"}
        with local_http.client(base_url=server.url + "/api/v1", headers=headers) as api:
            too_much = python["preview"](api, customer, {product: 6})
            expected = python["preview"](api, customer, {product: 2})
            order = python["place_order"](api, customer, {product: 2})

        assert not too_much["canBePlaced"]
        assert too_much["problems"][0]["code"] == "insufficient_stock"
        assert (expected["canBePlaced"], expected["total"]) == (True, order["total"])

    def test_the_curl_command_adjusts_the_stock_of_the_demo_company_once(
        self, server: Server, database: Database
    ) -> None:
        (_, _, line, _) = curl_lines(server)
        key = factories.demo_key(database)

        first = shell(line, key)

        assert first["data"]["results"][0]["data"]["delta"] == 24
        assert shell(line, key) == first

    def test_the_sample_writes_more_products_than_fit_a_request(
        self, server: Server, tenant: Tenant, database: Database
    ) -> None:
        python = samples(RECIPES)
        products = [{"sku": f"P-{number}", "name": f"Product {number}", "price": 1} for number in range(1_130)]
        products[700]["barcode"] = "4006381333932"
        headers = {"Authorization": f"Bearer {tenant.key}"}

        with local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=60) as api:
            (refused,) = python["write_products"](api, products)
            assert python["write_products"](api, [{"sku": "P-7", "price": 2}]) == []
        written = {product["sku"]: product for product in python["products"](server.url + "/api/v1", tenant.key)}

        assert (refused["sku"], refused["status"]) == ("P-700", 400)
        assert len(written) == 1_129
        assert written["P-7"]["price"] == 2


class TestDeploymentPage:
    def test_the_settings_for_many_machines_are_accepted(self) -> None:
        lines = re.findall(r"export (DISTRIBU_\w+)=(\S+)", (ROOT / "docs/deployment.md").read_text())

        assert Settings.from_environment(dict(lines)).database_url.drivername == "postgresql+psycopg"


class TestSealOfTheAuditLog:
    """The commands and the sample of docs/deployment.md, section The seal of the audit log."""

    SECTION = (
        (ROOT / "docs/deployment.md").read_text().partition("## The seal of the audit log")[2].partition("\n## ")[0]
    )

    def test_the_commands_return_and_prove_the_seal(self, server: Server, database: Database, tmp_path: Path) -> None:
        log = SealedLog(database)
        command = f"{sys.executable} -m app.cli "
        names = {"distribu ": command, "acme-foods": log.tenant.slug, "http://127.0.0.1:8000": server.url}
        lines = [block.strip() for block in blocks(self.SECTION, "sh")]
        for name, value in names.items():
            lines = [line.replace(name, value) for line in lines]
        environment = os.environ | server.environment | {"KEY": log.tenant.key, "SEAL": log.latest().hex()}

        printed = [
            subprocess.run(["sh", "-c", line], env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
            for line in lines
        ]

        assert json.loads(printed[0].stdout) == json.loads(printed[1].stdout)["data"]
        assert json.loads(printed[0].stdout)["seal"] == log.latest().hex()
        assert "✓ 1 kept seal" in printed[2].stdout

    def test_the_sample_computes_the_seals_of_the_log_over_http(self, server: Server, database: Database) -> None:
        log = SealedLog(database)
        log.append(150)
        log.seal()

        headers = {"Authorization": f"Bearer {log.tenant.key}"}
        entries: list[dict[str, Any]] = []
        query: dict[str, str] | None = {"limit": "100"}
        with local_http.client(base_url=server.url + "/api/v1", headers=headers) as api:
            while query is not None:
                page = api.get("/audit-log", params=query).raise_for_status().json()
                entries += page["data"]
                cursor = page["pagination"]["nextCursor"]
                query = {"limit": "100", "cursor": cursor} if cursor else None
            seal = api.get("/audit-seal").raise_for_status().json()["data"]

        computed = list(samples(self.SECTION)["seals"](reversed(entries)))
        assert (len(computed), computed[-1], entries[0]["id"]) == (seal["entries"], seal["seal"], seal["entryId"])


class TestWebhookPage:
    PAGE = (ROOT / "docs/webhooks.md").read_text()
    SECRET = webhook_secrets.generate()
    BODY = b'{"event":"order.created","id":"c1","sequence":2,"data":{"id":"c2"}}'

    @pytest.fixture
    def python(self) -> dict[str, Any]:
        return samples(self.PAGE)

    def headers(
        self, secret: str, previous: str | None = None, spell: Callable[[str], str] = str.lower
    ) -> dict[str, str]:
        signed = signing.headers(
            message_id="c1",
            event="order.created",
            timestamp=int(time.time()),
            body=self.BODY,
            secrets=[secret] if previous is None else [secret, previous],
        )
        return {spell(name): value for name, value in signed.items()}

    @pytest.mark.parametrize("spell", [str, str.lower, str.upper, str.title])
    def test_the_python_samples_accept_genuine_deliveries_only(
        self, python: dict[str, Any], spell: Callable[[str], str]
    ) -> None:
        genuine, rotated = self.headers(self.SECRET, spell=spell), self.headers(webhook_secrets.generate(), self.SECRET)
        forged = self.headers(webhook_secrets.generate(), spell=spell)

        for headers in (genuine, rotated):
            assert python["receive"](self.SECRET, self.BODY, headers)["event"] == "order.created"
            assert python["is_genuine"](self.SECRET, self.BODY, headers)
        assert not python["is_genuine"](self.SECRET, self.BODY, forged)
        assert not python["is_genuine"](self.SECRET, self.BODY, {"X-Webhook-Signature": "ü"})
        assert not python["is_genuine"](self.SECRET, self.BODY, {})
        with pytest.raises(WebhookVerificationError):
            python["receive"](self.SECRET, self.BODY, forged)

    def test_the_javascript_sample_accepts_genuine_deliveries_only(self, tmp_path: Path) -> None:
        (sample,) = blocks(self.PAGE, "javascript")
        cases = [
            (self.headers(self.SECRET), True),
            (self.headers(self.SECRET, spell=str), True),
            (self.headers(webhook_secrets.generate(), self.SECRET), True),
            (self.headers(webhook_secrets.generate(), self.SECRET, spell=str.title), True),
            (self.headers(webhook_secrets.generate()), False),
            ({}, False),
        ]
        calls = [[self.SECRET, self.BODY.decode(), headers] for headers, _ in cases]
        script = f"{sample}\nconsole.log(JSON.stringify({json.dumps(calls)}.map((call) => isGenuine(...call))));"
        run = subprocess.run([program("node", "nodejs"), "-e", script], capture_output=True, text=True, check=True)

        assert json.loads(run.stdout) == [expected for _, expected in cases]

    def test_the_inbox_accepts_each_event_once_and_none_after_a_newer_one(self, python: dict[str, Any]) -> None:
        inbox = python["Inbox"]()
        first, second = ({"id": f"c{n}", "sequence": n, "data": {"id": "o"}} for n in (1, 2))

        assert [inbox.accepts(event) for event in (second, second, first)] == [True, False, False]

    def test_the_commands_forward_a_sample_event_to_a_program(
        self, store: SqliteStore | PostgresqlStore, tmp_path: Path
    ) -> None:
        values = dict(re.findall(r"^DISTRIBU_(\w+)=(.+)$", blocks(self.PAGE, "sh")[0], re.MULTILINE))
        opened = {name.lower(): value for name, value in values.items()}
        listen, trigger = [line.removeprefix("$ distribu ") for line in blocks(self.PAGE, "console")[0].splitlines()]
        url = store.create("documented")
        database = open_database(url)
        slug = factories.tenant(database).slug
        database.dispose()
        with Receiver() as receiver, Server(url, tmp_path / "log", **opened) as server:
            listen = listen.replace("localhost:3000", f"localhost:{receiver.port}").replace("acme-foods", slug)
            command = [sys.executable, "-m", "app.cli"]
            options: dict[str, Any] = {"cwd": tmp_path, "env": server.environment | {"PYTHONPATH": str(ROOT)}}
            with waiting.process([*command, *shlex.split(listen)], stderr=subprocess.PIPE, **options) as listener:
                assert listener.stderr is not None
                lines = iter(listener.stderr.readline, b"")
                secret = next(line.split()[-1].decode() for line in lines if b"signing secret" in line)
                assert any(b"Ready" in line for line in lines)
                subprocess.run([*command, *shlex.split(trigger.replace("acme-foods", slug))], check=True, **options)
                (received,) = receiver.wait("/webhooks")
                assert waiting.end(listener) == 0
        store.drop(url)

        assert samples(self.PAGE)["receive"](secret, received.body, received.headers) == received.content
        assert (received.content["event"], received.content["test"]) == ("order.created", True)

    def test_the_retry_schedule_is_the_default(self) -> None:
        waits = settings("sqlite:///x").webhook_retry_schedule

        assert "5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h" in self.PAGE
        assert [5, *(60 * m for m in (5, 30)), *(3600 * h for h in (2, 5, 10, 14, 20, 24))] == list(waits)
        assert len(waits) + 1 == 10
        assert round(sum(waits) / 3600, 1) == 75.6


class TestImportPage:
    def test_the_example_is_imported_as_described(
        self, database_url: str, fresh_database: Database, tmp_path: Path
    ) -> None:
        page = (ROOT / "docs/importing.md").read_text()
        (content,) = blocks(page, "csv")
        (tmp_path / "preise.csv").write_text(content)
        company = factories.tenant(fresh_database)
        _, *arguments = shlex.split(blocks(page, "sh")[1].replace("acme-foods", company.slug))
        environment = os.environ | {"DISTRIBU_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}

        command = [sys.executable, "-m", "app.cli", *arguments]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

        assert (run.returncode, run.stderr) == (0, "Unknown columns were not imported: 'Lager'.\n")
        with fresh_database.transaction() as session:
            rows = session.execute(sa.select(Product.sku, Product.name, Product.price, Product.stock)).all()
        assert sorted(rows) == [("W-1", "Widget", Decimal("1234.50"), 1000), ("W-2", "Gadget", Decimal("8.50"), 12)]


class TestPages:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_links_resolve(self, page: Path) -> None:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), link

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_named_files_exist(self, page: Path) -> None:
        named = re.findall(
            r"`((?:app|handlers|models|openapi|tests|migrations|benchmarks|docs)/[\w/.]+)", page.read_text()
        )

        for path in named:
            assert (ROOT / path.rstrip(".")).exists(), path

    @pytest.mark.parametrize("page", [*PAGES, ROOT / ".env.example"], ids=lambda page: str(page.relative_to(ROOT)))
    def test_named_settings_exist(self, page: Path) -> None:
        known = {VARIABLE_PREFIX + setting.name.upper() for setting in fields(Settings)}

        assert set(re.findall(r"(?<!_)DISTRIBU_[A-Z_]+[A-Z]", page.read_text())) <= known


class TestArchitecturePage:
    def test_lists_the_layers_in_the_order_of_imports(self) -> None:
        contract = (ROOT / "setup.cfg").read_text().split("[importlinter:contract:layers]")[1].split("[importlinter")[0]
        layers = re.findall(r"^ {4}(.+)$", contract, re.MULTILINE)
        page = (ROOT / "docs/architecture.md").read_text()
        listed = [path.rstrip("/").replace("/", ".") for path in re.findall(r"^- \*\*`(.+?)`\*\*", page, re.MULTILINE)]

        assert listed == [name for layer in layers for name in layer.split(" | ")]


class TestErrorPage:
    def test_lists_exactly_the_codes_of_the_source(self) -> None:
        source = "\n".join(file.read_text() for file in (ROOT / "app").rglob("*.py"))
        in_source = set(re.findall(r'ApiError\(\s*HTTPStatus\.\w+,\s*"(\w+)"', source))
        in_source |= set(re.findall(r'^    code = "(\w+)"', source, re.MULTILINE))
        in_source |= set(re.findall(r'"code": "(\w+)"', source))
        parameters = spec.document()["components"]["parameters"].values()
        in_source |= {code for found in parameters for code in found["schema"].get("x-error-codes", {}).values()}

        assert spec.document()["x-error-codes"].keys() == in_source


class TestAuditEntry:
    def test_the_document_lists_exactly_the_actions_of_the_source(self) -> None:
        """Every dotted name in the services is an action. Imports and the demo company record two more."""
        in_services = {
            action
            for file in (ROOT / "app/services").glob("*.py")
            for action in re.findall(r'"([a-z_]+\.[a-z_]+)"', file.read_text())
        }
        listed = spec.document()["components"]["schemas"]["AuditEntry"]["properties"]["action"]["x-extensible-enum"]

        assert set(listed) == in_services | {
            "product.imported",
            "demo.orders_added",
        }, "Update the list in openapi/components/schemas/AuditEntry.yaml."


class TestSettingsExample:
    def test_explains_every_setting_with_its_default(self) -> None:
        text = (ROOT / ".env.example").read_text()
        values = dict(re.findall(r"^(DISTRIBU_\w+)=(.*)$", text, re.MULTILINE))

        assert values.keys() == {VARIABLE_PREFIX + setting.name.upper() for setting in fields(Settings)}
        assert Settings.from_environment(values) == Settings.from_environment({})
        assert Settings.from_environment(values) == settings("sqlite:///data/distribu.sqlite3")


class TestDependencies:
    def test_each_dependency_has_its_reason(self) -> None:
        page = (ROOT / "docs/dependencies.md").read_text().lower()
        required = (ROOT / "setup.cfg").read_text().split("install_requires =")[1].split("[options.packages.find]")[0]

        for name in re.findall(r"^    ([A-Za-z0-9-]+)", required, re.MULTILINE):
            assert name.lower() in page or name in {"setuptools", "coverage", "types-PyYAML"}, name
