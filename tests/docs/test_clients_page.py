"""The page on generated clients shows the settings and links the programs of every client that is tested."""

import re

from tests.support.servers import ROOT

GENERATORS = ROOT / "openapi/generators"
PAGE = (ROOT / "docs/clients.md").read_text()


def test_the_page_links_every_file() -> None:
    files = {file.relative_to(ROOT).as_posix() for file in GENERATORS.rglob("*") if file.is_file()}

    assert set(re.findall(r"\(\.\./(openapi/generators/[^)]+)\)", PAGE)) == files


def test_the_page_shows_the_settings() -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    assert sorted(shown) == sorted(file.read_text() for file in GENERATORS.glob("*/*.yaml"))


def test_the_page_has_the_tested_versions() -> None:
    pinned = re.findall(r"^openapi-generator-cli==\S+", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)

    assert pinned == re.findall(r"openapi-generator-cli==[^`]+", PAGE)
