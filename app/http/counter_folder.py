"""The folder in which the processes of one server count together; a single process needs none."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FOLDERS = "distribu-metrics-"
LOCKED_WITHIN = 60.0  # seconds after a folder is made; a server needs far less


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let the processes of this server count in one folder, which is removed at the end.

    A server holds a lock on its folder while it runs. One that is killed leaves the folder behind without a lock, and
    the next server removes it.
    """
    for folder in Path(tempfile.gettempdir()).glob(FOLDERS + "*"):
        _remove_leftover(folder)
    with tempfile.TemporaryDirectory(prefix=FOLDERS, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
        yield


def _remove_leftover(folder: Path) -> None:
    with contextlib.suppress(OSError), _locked(folder):
        found = folder.stat()
        may_be_new = time.time() - found.st_mtime < LOCKED_WITHIN and not any(folder.iterdir())
        if found.st_uid == os.geteuid() and not may_be_new:  # a new one may be about to be locked
            shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder. Raises OSError when another process holds it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
