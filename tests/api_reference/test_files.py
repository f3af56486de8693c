"""docs/api/ and llms.txt: they are up to date, complete, and their commands work."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from app import spec
from app.api_reference import files, operations
from tests.support import factories
from tests.support.debian import program
from tests.support.servers import ROOT, Server, SqliteStore, open_database

FILES = files.render(spec.published())
REFERENCES = operations.read(spec.published())
BY_ID = {reference.operation.id: reference for reference in REFERENCES}


def page(operation_id: str) -> str:
    return (ROOT / files.PAGES / f"{operation_id}.md").read_text()


def command(operation_id: str) -> str:
    (found,) = re.findall(r"^```sh\n(.*?)\n```", page(operation_id), re.MULTILINE | re.DOTALL)
    return str(found)


def failure(line: str, environment: dict[str, str]) -> str:
    """Run a curl command; return what it printed if the response has an error status."""
    command = ["sh", "-c", f"{line} --fail-with-body --silent --show-error"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr if run.returncode else ""


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text() == FILES[path], f"{path} is out of date. Run: make docs"


def test_there_are_no_other_files() -> None:
    found = {file.relative_to(ROOT).as_posix() for file in (ROOT / files.PAGES).iterdir()}

    assert found == FILES.keys() - {"llms.txt"}


def test_files_of_removed_operations_are_removed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    files.write(tmp_path, {"docs/api/old.txt": "Old", "docs/api/kept.txt": "Old"})
    files.write(tmp_path, {"docs/api/kept.txt": "New"})

    assert [(file.name, file.read_text()) for file in (tmp_path / "docs/api").iterdir()] == [("kept.txt", "New")]


class TestPages:
    @pytest.mark.parametrize("operation_id", BY_ID)
    def test_a_page_names_everything_of_its_operation(self, operation_id: str) -> None:
        text, reference = page(operation_id), BY_ID[operation_id]
        scope = reference.operation.scope
        body = reference.body.members if reference.body else ()
        codes = [code for response in reference.responses for code in response.codes]
        names = [*(found.name for found in reference.parameters), *(member.name for member in body)]

        assert f"`{reference.operation.method} {reference.operation.path}`" in text
        assert scope is None or f"scope `{scope}`" in text
        assert [name for name in names + codes if f"`{name}`" not in text] == []
        assert [found.status for found in reference.responses if f"`{found.status}`" not in text] == []

    @pytest.mark.parametrize("operation_id", BY_ID)
    def test_the_rows_of_a_table_have_as_many_cells_as_its_heading(self, operation_id: str) -> None:
        for table in re.findall(r"^\| .+(?:\n\|.+)+", page(operation_id), re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1

    def test_the_commands_succeed_with_a_new_demo_company(self, sqlite_store: SqliteStore, tmp_path: Path) -> None:
        program("uuidgen", "uuid-runtime")
        url = sqlite_store.create("commands")
        database = open_database(url)
        with Server(url, tmp_path / "log", "--no-worker") as server:
            environment = os.environ | {"URL": server.url + "/api/v1", "KEY": factories.demo_key(database)}
            failures = {operation_id: failure(command(operation_id), environment) for operation_id in BY_ID}
        database.dispose()

        assert {operation_id: text for operation_id, text in failures.items() if text} == {}

    def test_a_body_is_the_first_example(self) -> None:
        for operation_id, reference in BY_ID.items():
            words = shlex.split(command(operation_id).replace("\\\n", ""))
            sent = [json.loads(words[number + 1]) for number, word in enumerate(words) if word == "-d"]

            assert sent == [example.value for example in (reference.body.examples[:1] if reference.body else ())]


class TestLlmsText:
    TEXT = (ROOT / "llms.txt").read_text()

    def test_has_the_form_of_llms_txt(self) -> None:
        """A title, a summary, text without headings, and sections with lists of links (llmstxt.org)."""
        head, *sections = re.split(r"^## .+\n", self.TEXT, flags=re.MULTILINE)

        assert re.match(r"# .+\n\n> .+\n\n", head)
        assert not re.search(r"^#", head.partition("\n")[2], re.MULTILINE)
        for section in sections:
            assert all(re.fullmatch(r"- \[.+?\]\(\S+\): .+", line) for line in section.strip().splitlines())

    def test_its_links_resolve(self) -> None:
        links = re.findall(r"\]\((\S+?)\)", self.TEXT)

        assert [link for link in links if not (ROOT / link).is_file()] == []
        assert {f"{files.PAGES}/{operation_id}.md" for operation_id in BY_ID} <= set(links)
