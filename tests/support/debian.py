"""Programs that exist as Debian packages only (nginx, PgBouncer, Chromium): installed when they are missing."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
INSTALL_SECONDS = 600


def file(path: Path, package: str) -> None:
    """Install a Debian package if its file is missing. Fails the test if it cannot be installed."""
    with _lock():
        if not path.exists():
            _install(package)
    if not path.exists():
        pytest.fail(f"This test needs {path}. Install the Debian package {package}.", pytrace=False)


def program(name: str, package: str) -> str:
    """Return the path of a program. Install its Debian package if it is missing.

    Fails the test with one line that names the package if it cannot be installed.
    """
    with _lock():
        found = shutil.which(name, path=SEARCH_PATH)
        if found is None:
            _install(package)
            found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        pytest.fail(f"This test needs {name}. Install the Debian package {package}.", pytrace=False)
    return found


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Keep other test processes waiting: apt allows only one at a time."""
    with (Path(tempfile.gettempdir()) / "distribu-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # do not start the service
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "-o", f"DPkg::Lock::Timeout={INSTALL_SECONDS}", package],
    ):
        try:
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.fail(
                f"This test needs the Debian package {package}, and installing it failed: {error}", pytrace=False
            )
