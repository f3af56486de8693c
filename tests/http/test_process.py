"""The process of a server: how often its threads take turns, and how they share memory."""

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
ARENAS = """
import ctypes, re, tempfile, threading

def arenas():
    started = threading.Barrier(9)
    def allocate():
        kept = bytearray(50_000)
        started.wait(180)
        started.wait(180)
    threads = [threading.Thread(target=allocate) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.wait(180)
    with tempfile.NamedTemporaryFile() as file:
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        libc.malloc_info(0, stream)
        libc.fclose(stream)
        started.wait(180)
        return len(re.findall(b"<heap nr=", file.read()))
"""


def result(program: str, tmp_path: Path) -> str:
    """Return what a program prints with the settings of a server."""
    settings = {"DISTRIBU_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3", "DISTRIBU_PORT": str(free_port())}
    environment = settings | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=waiting.SECONDS
    ).stdout


@pytest.mark.parametrize("program", [SINGLE_PROCESS, WORKER_PROCESS], ids=["single", "worker"])
def test_the_threads_of_a_server_share_one_arena(program: str, tmp_path: Path) -> None:
    counting = program.replace("print(sys.getswitchinterval())", "print(arenas())")

    assert int(result(ARENAS + counting, tmp_path)) == 1


@pytest.mark.parametrize("program", [SINGLE_PROCESS, WORKER_PROCESS], ids=["single", "worker"])
def test_a_server_has_the_switch_interval_of_decision_0006(program: str, tmp_path: Path) -> None:
    assert float(result(program, tmp_path)) == pytest.approx(0.0003)
    assert "every 0.3 ms" in next((ROOT / "docs/decisions").glob("0006-*.md")).read_text()


@pytest.mark.parametrize("program", [SINGLE_PROCESS, WORKER_PROCESS], ids=["single", "worker"])
def test_a_server_seldom_looks_for_cycles(program: str, tmp_path: Path) -> None:
    looking = program.replace("print(sys.getswitchinterval())", "import gc; print(gc.get_threshold())")

    assert result(looking, tmp_path).strip() == "(10000, 20, 50)"
