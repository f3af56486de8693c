"""The commands of docs/contract-tests.md: a run of Schemathesis with the published settings ends without a failure."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.servers import ROOT, Server, SqliteStore

SERVE, RUN = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs/contract-tests.md").read_text(), re.MULTILINE | re.DOTALL)
URL = "http://127.0.0.1:8000"
EDITIONS = ("openapi.json", "openapi-3.1.json")
FEW = "--phases examples --seed 1 --no-color"  # all phases: tests/contract/test_fuzz.py


def shell(script: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the page in the directory of the project, on a database."""
    script = re.sub(r"(?<=DISTRIBU_DATABASE_URL=)\S+", url, script)
    script = script.replace("distribu ", f"{sys.executable} -m app.cli ")
    script = script.replace("schemathesis run", f"{sys.executable} -m schemathesis.cli run {FEW}")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = ["sh", "-ec", script]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_commands_run_without_a_failure(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    url = sqlite_store.create("contract_tests")
    *commands, serve = SERVE.strip().splitlines()
    assert serve == "distribu serve --no-worker"
    set_up = shell("\n".join(commands), url)
    assert set_up.returncode == 0, set_up.stderr

    with Server(url, tmp_path / "log", "--no-worker") as server:
        command = RUN.replace(URL, server.url)
        runs = [shell(command.replace("openapi.json", edition), url) for edition in EDITIONS]

    for run in runs:
        assert run.returncode == 0, run.stdout[-15_000:] + run.stderr[-3_000:]
        assert "Tested: " in run.stdout
    sqlite_store.drop(url)
