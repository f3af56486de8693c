"""Every section of the contract that code and tests cite exists in docs/contract.md."""

import re
from collections.abc import Iterator

from tests.support.servers import ROOT

FOLDERS = ("app", "handlers", "models", "migrations", "tests", "openapi")
NUMBER = r"\d+(?:\.\d+)?"
LIST = rf"{NUMBER}(?:(?:,|\s+and)\s+{NUMBER})*"
CITATION = re.compile(rf"contract(?:,|'s\s+wording)\s+\(?(?:sections?\s+({LIST})|(introduction))")
HEADING = re.compile(rf"^#+ (?:({NUMBER})\.? |(Introduction)$)", re.MULTILINE)


def cited() -> Iterator[tuple[str, str]]:
    """Yield the place of each citation and the section that it names."""
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.*"):
            if file.suffix in {".py", ".yaml", ".md"} and "node_modules" not in file.parts:
                for numbers, introduction in CITATION.findall(file.read_text()):
                    for section in re.findall(NUMBER, numbers) or [introduction]:
                        yield str(file.relative_to(ROOT)), section


def test_sections_that_are_cited_exist() -> None:
    page = (ROOT / "docs/contract.md").read_text()
    sections = {number or name.lower() for number, name in HEADING.findall(page)}
    citations = list(cited())

    assert [each for each in citations if each[1] not in sections] == []
    assert len(citations) > 50
