"""The process of a server: how often its threads take turns."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import waiting
from tests.support.servers import ROOT, free_port

SINGLE_PROCESS = """
import contextlib, sys
from app.config import Settings
from app.db import Database
from app.http import process

@contextlib.contextmanager
def companion():
    print(sys.getswitchinterval())
    sys.exit()
    yield

settings = Settings.from_environment()
process.run(settings, Database(settings), companion())
"""
WORKER_PROCESS = """
import sys
from app.http import process

process.app_from_environment()
print(sys.getswitchinterval())
"""


@pytest.mark.parametrize("program", [SINGLE_PROCESS, WORKER_PROCESS], ids=["single", "worker"])
def test_a_server_has_the_switch_interval_of_decision_0006(program: str, tmp_path: Path) -> None:
    settings = {"DISTRIBU_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3", "DISTRIBU_PORT": str(free_port())}
    environment = settings | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=waiting.SECONDS)

    assert float(run.stdout) == pytest.approx(0.0003)
    assert "every 0.3 ms" in next((ROOT / "docs/decisions").glob("0006-*.md")).read_text()
