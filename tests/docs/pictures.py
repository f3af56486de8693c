"""The pictures of README.md: the reference page, and the story in a terminal. `make pictures` makes them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from app import editions, spec
from app.http.reference import pages
from benchmarks import picture
from tests.docs import terminal
from tests.support import factories, readme_story
from tests.support.browser import Browser, browser
from tests.support.readme_story import TerminalStep
from tests.support.reference_page import PRELUDE
from tests.support.servers import ROOT, Server, SqliteStore, open_database

FOLDER = ROOT / "docs/pictures"
DIGEST = FOLDER / "page.sha256"  # of what the picture of the page was made from
OPERATION = "createOrder"
WIDTH, HEIGHT = 1200, 660
SHOWN = "await seen(() => find('.main-content h2')); await new Promise((shown) => setTimeout(shown, 500));"
PORT = "8000"  # that of `make serve`
PRINTED = ("order preview", "webhook listen")  # the steps that the terminal shows


def make() -> None:
    """Start a server with a demo company, and make the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="distribu-pictures-") as name:
        directory = Path(name)
        url = SqliteStore(directory).create("pictures")
        database = open_database(url)
        factories.demo_key(database)
        database.dispose()
        with Server(url, directory / "log", port=PORT, **readme_story.settings()) as server:
            for file, content in of_terminal(list(readme_story.run(server, directory))).items():
                _replace(file, content)
            with browser(directory) as chromium:
                for theme in picture.THEMES:
                    (FOLDER / f"page-{theme}.png").write_bytes(_of_page(chromium, server, is_dark=theme == "dark"))
    DIGEST.write_text(digest_of_page() + "\n")


def of_terminal(steps: Sequence[TerminalStep]) -> dict[Path, str]:
    """Return the picture of the terminal for each theme, by its file."""
    printed = [step for step in steps if any(command in step.commands for command in PRINTED)]
    return {FOLDER / f"terminal-{name}.svg": terminal.svg(printed, theme) for name, theme in picture.THEMES.items()}


def digest_of_page() -> str:
    """Return a digest of what the picture of the reference page shows: its files, its menu and one operation."""
    document = editions.document("3.1")
    operations = [operation.definition for operation in spec.operations(document)]
    menu = [(operation["tags"], operation["summary"]) for operation in operations]
    shown = [operation for operation in operations if operation["operationId"] == OPERATION]
    templates = [pages.FOLDER / "templates" / name for name in ("layout.html", "reference.html")]
    content = hashlib.sha256(json.dumps([menu, shown, pages.PAGES]).encode())
    for file in (*templates, *sorted((pages.FOLDER / "static").iterdir()), pages.RENDERER):
        content.update(file.read_bytes())
    return content.hexdigest()


def _replace(file: Path, content: str) -> None:
    """Write a picture of the terminal, unless only ids and times differ."""
    if not file.exists() or terminal.without_changes(file.read_text()) != terminal.without_changes(content):
        file.write_text(content)


def _of_page(chromium: Browser, server: Server, *, is_dark: bool) -> bytes:
    chromium.resize(WIDTH, HEIGHT, is_dark=is_dark)
    chromium.open("about:blank")
    chromium.open(f"{server.url}/docs#post-/orders")
    chromium.run(PRELUDE + SHOWN)
    return chromium.screenshot()


if __name__ == "__main__":
    make()
