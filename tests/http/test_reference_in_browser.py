"""The reference page and the guides in a real browser, on a fresh demo company."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import editions, spec
from app.http.reference import pages
from tests.support import factories, waiting
from tests.support.browser import Browser, browser
from tests.support.debian import program
from tests.support.reference_page import PRELUDE, ReferencePage
from tests.support.servers import Server, SqliteStore, open_database

PATHS = [f"/{page.path}" for page in pages.PAGES]
SIZES = {"desktop": (1440, 900, False), "phone": (390, 844, False), "dark phone": (390, 844, True)}
WIDTHS = "return [document.documentElement.scrollWidth, innerWidth]"
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"


@dataclass(frozen=True)
class Shown:
    """A server with a demo company, and a browser."""

    address: str
    key: str
    chromium: Browser


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    directory = tmp_path_factory.mktemp("shown")
    url = SqliteStore(directory).create("shown")
    database = open_database(url)
    key = factories.demo_key(database)
    database.dispose()
    with (
        Server(url, directory / "log", "--no-worker", rate_limit="10000/minute") as server,
        browser(directory) as chromium,
    ):
        yield Shown(server.url, key, chromium)


def test_every_prefilled_request_succeeds(shown: Shown) -> None:
    page = ReferencePage(shown.chromium, shown.address, shown.key)

    tried = {listed.id: page.try_out(listed.id) for listed in page.listed() if not listed.is_webhook}

    assert tried.keys() == set(operation_ids(editions.document("3.1")["paths"]))
    assert {name: found for name, found in tried.items() if not 200 <= found.status < 300} == {}
    assert all(found.url.startswith(shown.address + "/api/v1/") for found in tried.values())


def test_operations_and_webhooks_are_listed_with_samples_that_run(shown: Shown, tmp_path: Path) -> None:
    page = ReferencePage(shown.chromium, shown.address, shown.key)
    listed = page.listed()
    document = editions.document("3.1")

    assert {entry.id for entry in listed if not entry.is_webhook} == set(operation_ids(document["paths"]))
    assert {entry.id for entry in listed if entry.is_webhook} == set(operation_ids(document["webhooks"]))
    for entry in listed:
        if entry.id in {"getMe", "previewOrder", "listProducts"}:
            for sample in entry.samples:
                run(sample, shown.key, tmp_path)
    labels = {tuple(sample["label"] for sample in entry.samples) for entry in listed if not entry.is_webhook}
    assert labels == {("curl", "Python", "TypeScript")}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", [*PATHS, "/docs#post-/orders", "/docs#post-order-created"])
def test_pages_fit_load_nothing_from_elsewhere_and_report_no_error(shown: Shown, path: str, size: str) -> None:
    width, height, is_dark = SIZES[size]
    shown.chromium.open("about:blank")
    shown.chromium.requested(), shown.chromium.errors()
    shown.chromium.resize(width, height, is_dark=is_dark)
    shown.chromium.open(shown.address + path)
    if path.startswith("/docs#") or path == "/docs":
        shown.chromium.run(PRELUDE + "await seen(() => find('.main-content h2, .main-content .m-markdown'));")

    content, window = shown.chromium.run(WIDTHS)
    requested = shown.chromium.requested()

    assert content <= window
    assert requested
    assert all(url.startswith(shown.address + "/") for url in requested)
    assert shown.chromium.errors() == []
    assert shown.chromium.run(BACKGROUND) == ("rgb(20, 24, 31)" if is_dark else "rgb(255, 255, 255)")


def test_the_button_shows_the_operations_on_a_phone(shown: Shown) -> None:
    shown.chromium.resize(390, 844)
    ReferencePage(shown.chromium, shown.address, shown.key)
    is_shown = "return find('.nav-bar').checkVisibility();"

    before = shown.chromium.run(PRELUDE + is_shown)
    after = shown.chromium.run(PRELUDE + "document.querySelector('#operations').click();" + is_shown)
    chosen = shown.chromium.run(PRELUDE + "find('[data-content-id=\"post-/orders\"]').click();" + is_shown)

    assert (before, after, chosen) == (False, True, False)


def operation_ids(paths: dict[str, Any]) -> Iterator[str]:
    for item in paths.values():
        yield from (item[method]["operationId"] for method in spec.METHODS if method in item)


def run(sample: dict[str, str], key: str, directory: Path) -> None:
    """Run a sample as it is. The TypeScript ones have no types, so Node.js runs them as modules."""
    file = directory / "sample.mjs"
    file.write_text(sample["source"])
    commands = {
        "curl": ["sh", "-c", sample["source"].replace("curl", "curl --fail", 1)],
        "Python": [sys.executable, str(file)],
        "TypeScript": [program("node", "nodejs"), str(file)],
    }
    environment = os.environ | {"KEY": key}
    done = subprocess.run(
        commands[sample["label"]], env=environment, capture_output=True, text=True, check=False, timeout=waiting.SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert '"data"' in done.stdout
