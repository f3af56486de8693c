"""The page on generated clients shows the settings and links the programs of every client that is tested."""

import json
import re

from tests.support.servers import ROOT

GENERATORS = ROOT / "openapi/generators"
PAGE = (ROOT / "docs/clients.md").read_text()


def test_the_page_links_every_file() -> None:
    files = {file.relative_to(ROOT).as_posix() for file in GENERATORS.rglob("*") if file.is_file()}

    assert set(re.findall(r"\(\.\./(openapi/generators/[^)]+)\)", PAGE)) == files


def test_the_page_shows_the_settings() -> None:
    shown = re.findall(r"^```(?:yaml|typescript)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    settings = [*GENERATORS.glob("*/*.yaml"), *GENERATORS.glob("*/*.config.ts")]

    assert sorted(shown) == sorted(file.read_text() for file in settings)


def test_the_page_has_the_tested_versions() -> None:
    locked = re.findall(r"^openapi-\S+==\S+", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    packages = json.loads((ROOT / "tests/clients/typescript/package.json").read_text())["devDependencies"]

    assert set(re.findall(r"openapi-[a-z-]+==[^`\s]+", PAGE)) == set(locked)
    installed = dict(re.findall(r" ([@a-z/-]+)@([0-9.]+)", PAGE))
    assert installed == {name: version for name, version in packages.items() if name in installed}
    assert packages.keys() - installed.keys() == {"@types/node"}
