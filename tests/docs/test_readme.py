"""README.md: its story runs, and it is short."""

import json
import re
from pathlib import Path

import pytest

from tests.docs import pictures, terminal
from tests.support import readme_story
from tests.support.readme_story import README
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore

MOST_WORDS = 700  # three minutes of reading, at 230 words per minute
LARGEST_PICTURE = 150_000  # bytes
NOT_READ = re.compile(r"```.*?```|\]\([^)]*\)|<[^>]*>", re.DOTALL)  # commands, targets of links, tags


def test_the_story_runs(store: SqliteStore | PostgresqlStore, tmp_path: Path) -> None:
    url = store.create("readme")
    with Server(url, tmp_path / "log", **readme_story.settings()) as server:
        steps = list(readme_story.run(server, tmp_path))
    store.drop(url)

    company, _customer, preview, _settings, order, listener = (step.output for step in steps)
    assert "This is the only time the key is shown" in company
    assert "Not enough stock for Olive oil 5 l. Only 12 available." in preview
    placed = json.loads(order[order.index('{"data"') :])["data"]
    assert (placed["status"], placed["total"]) == ("SUBMITTED", 320.87)
    assert "order.created" in listener
    for file, content in pictures.of_terminal(steps).items():
        assert terminal.without_changes(file.read_text()) == terminal.without_changes(content), "run: make pictures"


def test_the_picture_of_the_reference_page_is_up_to_date() -> None:
    assert pictures.DIGEST.read_text().strip() == pictures.digest_of_page(), "run: make pictures"
    assert all(file.stat().st_size < LARGEST_PICTURE for file in pictures.FOLDER.iterdir())


def test_it_can_be_read_in_three_minutes() -> None:
    assert len(NOT_READ.sub(" ", README.read_text()).split()) <= MOST_WORDS


@pytest.mark.parametrize("target", sorted({*re.findall(r"`?make ([a-z]+)", README.read_text())}))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
