"""The workflows below openapi/workflows/ succeed with the demo company, and name what the document has."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import spec
from app.spec import Document
from models import Scope
from tests.contract.test_document import DOCUMENT, PUBLISHED
from tests.support import factories, waiting
from tests.support.debian import program
from tests.support.receiver import Receiver
from tests.support.servers import ROOT, Server, SqliteStore, open_database

FILES = sorted((spec.SOURCE / "workflows").glob("*.yaml"))
DOCUMENTED_SITE = "http://127.0.0.1:8000"
OPERATIONS = {operation.id: operation for operation in PUBLISHED}
REDOCLY = ROOT / "openapi/lint/redocly.sh"
RECIPES = (ROOT / "docs/recipes.md").read_text()
INPUTS = {"sku": "FLR-SW-16", "poNumber": "PO-1"}
OTHER_INPUTS = {"sync": {"sku": "FLR-WM-16"}, "return": {"poNumber": "PO-2"}}  # a new product, a second order


@dataclass(frozen=True)
class WorkflowRunner:
    """A server with a demo company, and a receiver of its events."""

    site_url: str
    keys: dict[str, str]  # by the name of the workflow: a key has the scopes that it needs
    receiver_url: str

    def run(self, file: Path, directory: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run a workflow with the linter of the document, which validates every response too."""
        copy = directory / file.name
        copy.write_text(file.read_text().replace(DOCUMENTED_SITE, self.site_url))
        known = INPUTS | {"key": self.keys[file.stem], "receiverUrl": self.receiver_url} | inputs
        needed = workflow(file)["inputs"]["required"]
        arguments = [part for name in needed for part in ("--input", f"{name}={known[name]}")]
        return subprocess.run(
            [REDOCLY, "respect", copy, *arguments, "--max-fetch-timeout", str(int(waiting.SECONDS * 1000))],
            capture_output=True,
            text=True,
            check=False,
            timeout=waiting.SECONDS,
        )


@pytest.fixture(scope="module")
def runner(sqlite_store: SqliteStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkflowRunner]:
    program("node", "nodejs")
    program("npm", "npm")
    url = sqlite_store.create("workflows")
    database = open_database(url)
    keys = {file.stem: factories.demo_key(database, sorted(scopes(file))) for file in FILES}
    database.dispose()
    egress = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "1-65535"}
    with Receiver() as receiver, Server(url, tmp_path_factory.mktemp("workflows") / "log", **egress) as server:
        yield WorkflowRunner(server.url, keys, receiver.url("/events"))


def workflow(file: Path) -> Document:
    (found,) = spec.read(file)["workflows"]
    return dict(found)


def steps(file: Path) -> list[Document]:
    return list(workflow(file)["steps"])


def scopes(file: Path) -> set[Scope]:
    """Return the scopes that the operations of a workflow require."""
    found = {OPERATIONS[step["operationId"]].scope for step in steps(file)}
    return {scope for scope in found if scope is not None}


def parameters(operation_id: str) -> Iterator[tuple[str, str]]:
    for reference in OPERATIONS[operation_id].definition.get("parameters", []):
        parameter = spec.resolve(DOCUMENT, reference)
        yield parameter["name"], parameter["in"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestWorkflow:
    def test_its_operations_and_their_parameters_exist(self, file: Path) -> None:
        assert [step["operationId"] for step in steps(file) if step["operationId"] not in OPERATIONS] == []
        for step in steps(file):
            sent = {(parameter["name"], parameter["in"]) for parameter in step.get("parameters", [])}
            assert sent <= set(parameters(step["operationId"])), step["stepId"]

    def test_the_description_of_the_key_names_the_scopes(self, file: Path) -> None:
        described = workflow(file)["inputs"]["properties"]["key"]["description"]

        assert set(re.findall(r"`(\S+?)`", described)) == scopes(file)

    def test_its_inputs_are_documented(self, file: Path) -> None:
        (row,) = [line for line in RECIPES.splitlines() if f"(../openapi/workflows/{file.name})" in line]
        described = workflow(file)["inputs"]

        assert re.findall(r"`(\w+)`", row) == described["required"] == list(described["properties"])

    def test_every_step_succeeds(self, file: Path, runner: WorkflowRunner, tmp_path: Path) -> None:
        count = len(steps(file))

        done = runner.run(file, tmp_path, **OTHER_INPUTS.get(file.stem, {}))

        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Steps: {count} passed, {count} total" in done.stdout


def test_the_documented_command_has_the_inputs_of_its_workflow() -> None:
    (command,) = re.findall(r"^openapi/lint/redocly.sh respect (\S+) (.+?)\n```", RECIPES, re.MULTILINE | re.DOTALL)
    file, options = ROOT / command[0], command[1]

    assert re.findall(r"--input (\w+)=", options) == workflow(file)["inputs"]["required"]


def test_a_workflow_ends_at_the_step_that_fails(runner: WorkflowRunner, tmp_path: Path) -> None:
    (file,) = [file for file in FILES if file.stem == "order"]

    done = runner.run(file, tmp_path, sku="unknown")

    assert done.returncode == 1
    assert "Steps: 1 passed, 1 failed, 2 total" in done.stdout
