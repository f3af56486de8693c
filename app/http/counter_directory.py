"""The directory in which the processes of one server share their counters; a single process needs none."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DIRECTORY_PREFIX = "distribu-metrics-"
LOCK_SECONDS = 60.0  # within which a server locks the directory that it creates; it takes far less


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let the processes of this server share one directory, which is removed at the end.

    A server holds a lock on its directory while it runs. A server that is killed leaves its directory behind, unlocked,
    and the next one removes it.
    """
    for directory in Path(tempfile.gettempdir()).glob(DIRECTORY_PREFIX + "*"):
        _remove_leftover(directory)
    with tempfile.TemporaryDirectory(prefix=DIRECTORY_PREFIX, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
        yield


def _remove_leftover(directory: Path) -> None:
    with contextlib.suppress(OSError), _locked(directory):
        status = directory.stat()
        may_be_new = time.time() - status.st_mtime < LOCK_SECONDS and not any(directory.iterdir())
        if status.st_uid == os.geteuid() and not may_be_new:  # the owner of a new one may be about to lock it
            shutil.rmtree(directory)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock on a directory. Raises OSError when another process holds it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
