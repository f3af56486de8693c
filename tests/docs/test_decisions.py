"""Every decision follows the template of docs/decisions/README.md and is listed there."""

import re
from pathlib import Path

import pytest

from tests.support.servers import ROOT

DECISIONS = sorted((ROOT / "docs/decisions").glob("0*.md"))
HEAD = re.compile(r"^\*\*Date:\*\* \d{4}-\d\d-\d\d · \*\*Status:\*\* (accepted|replaced by \[\d{4}\])", re.MULTILINE)
PARTS = ("Decision", "Why", "Consequences", "Verified by")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_date_status_and_parts(page: Path) -> None:
    text = page.read_text()

    assert HEAD.search(text)
    assert tuple(re.findall(r"^\*\*([A-Z][a-z ]+)\b\.?\*\*", text, re.MULTILINE)) == PARTS


def test_the_index_lists_every_decision_by_its_title() -> None:
    titles = {page.name: page.read_text().splitlines()[0].removeprefix("# ") for page in DECISIONS}
    listed = re.findall(r"^- \[(\d{4})\]\((.+?)\) (.+)$", (ROOT / "docs/decisions/README.md").read_text(), re.MULTILINE)

    assert {file: f"{number} {title}" for number, file, title in listed} == titles
