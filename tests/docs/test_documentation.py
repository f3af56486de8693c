"""What the documentation says is true: its commands run, its snippets work, its lists are complete."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import PREFIX, Settings
from app.db import Database
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.servers import ROOT, Server, settings

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class TestReadme:
    def test_the_commands_for_an_own_company_work(self, database_url: str, tmp_path: Path) -> None:
        (tmp_path / "products.csv").write_text("sku,name,price\nFL-1,Rye flour 25 kg,21.50\n")
        environment = os.environ | {"DISTRIBU_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
        lines = [line[2:] for block in blocks(README, "console") for line in block.splitlines()]

        assert len(lines) == 7
        for line in lines:
            program, *arguments = shlex.split(line)
            assert program == "distribu"
            command = [sys.executable, "-m", "app.cli", *arguments]
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
        assert "Rye flour 25 kg" in run.stdout

    def test_the_curl_line_works(self, server: Server, tenant: Tenant) -> None:
        line = next(line for block in blocks(README, "sh") for line in block.splitlines() if line.startswith("curl"))
        line = line.replace("http://127.0.0.1:8000", server.url) + " -s --fail"
        run = subprocess.run(
            ["sh", "-c", line], env={"KEY": tenant.key, **os.environ}, capture_output=True, check=False
        )

        assert run.returncode == 0
        assert run.stdout.startswith(b'{"data":[')

    def test_the_snippet_reads_everything(self, server: Server, tenant: Tenant, database: Database) -> None:
        made = factories.products(database, tenant.company_id, 230)
        names: dict[str, object] = {}
        for block in blocks(README, "python"):
            exec(block, names)

        read = names["products"](server.url + "/api/v1", tenant.key)  # type: ignore[operator]

        assert {product["id"] for product in read} == set(made)

    def test_the_snippet_places_an_order(self, server: Server, tenant: Tenant, database: Database) -> None:
        customer = factories.customer(database, tenant.company_id)
        product = factories.product(database, tenant.company_id, stock=5)
        names: dict[str, Any] = {}
        for block in blocks(README, "python"):
            exec(block, names)

        headers = {"Authorization": f"Bearer {tenant.key}"}
        with httpx.Client(base_url=server.url + "/api/v1", headers=headers) as api:
            order = names["place_order"](api, customer, {product: 2})

        assert order["items"][0]["quantity"] == 2

    def test_the_settings_for_many_machines_are_accepted(self) -> None:
        lines = re.findall(r"export (DISTRIBU_\w+)=(\S+)", README)

        assert Settings.from_environment(dict(lines)).database_url.drivername == "postgresql+psycopg"

    @pytest.mark.parametrize("target", sorted({*re.findall(r"`?make ([a-z]+)", README)}))
    def test_make_targets_exist(self, target: str) -> None:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


class TestPages:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_links_lead_somewhere(self, page: Path) -> None:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), link

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    def test_files_that_are_named_exist(self, page: Path) -> None:
        named = re.findall(
            r"`((?:app|handlers|models|openapi|tests|migrations|benchmarks|docs)/[\w/.]+)", page.read_text()
        )

        for path in named:
            assert (ROOT / path.rstrip(".")).exists(), path

    @pytest.mark.parametrize("page", [*PAGES, ROOT / ".env.example"], ids=lambda page: str(page.relative_to(ROOT)))
    def test_settings_that_are_named_exist(self, page: Path) -> None:
        known = {PREFIX + each.name.upper() for each in fields(Settings)}

        assert set(re.findall(r"DISTRIBU_[A-Z_]+[A-Z]", page.read_text())) <= known


class TestErrorPage:
    def test_lists_exactly_the_codes_there_are(self) -> None:
        source = "\n".join(file.read_text() for file in (ROOT / "app").rglob("*.py"))
        used = set(re.findall(r'ApiError\(\s*HTTPStatus\.\w+,\s*"(\w+)"', source))
        used |= set(re.findall(r'^    code = "(\w+)"', source, re.MULTILINE)) - {
            "file_rejected"
        }  # the command line's own
        used |= set(re.findall(r'"code": "(\w+)"', source))
        listed = set(re.findall(r"^\| \d+ \| `(\w+)`", (ROOT / "docs/errors.md").read_text(), re.MULTILINE))

        assert listed == used


class TestSettingsExample:
    def test_explains_every_setting_with_its_default(self) -> None:
        text = (ROOT / ".env.example").read_text()
        given = dict(re.findall(r"^(DISTRIBU_\w+)=(.*)$", text, re.MULTILINE))

        assert given.keys() == {PREFIX + each.name.upper() for each in fields(Settings)}
        assert Settings.from_environment(given) == Settings.from_environment({})
        assert Settings.from_environment(given) == settings("sqlite:///data/distribu.sqlite3")


class TestDependencies:
    def test_each_has_its_reason(self) -> None:
        page = (ROOT / "docs/dependencies.md").read_text().lower()
        required = (ROOT / "setup.cfg").read_text().split("install_requires =")[1].split("[options.packages.find]")[0]

        for name in re.findall(r"^    ([A-Za-z0-9-]+)", required, re.MULTILINE):
            assert name.lower() in page or name in {"setuptools", "coverage", "types-PyYAML"}, name
