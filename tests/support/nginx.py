"""A real nginx for tests: what stands in front of most servers."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.debian import program

START_SECONDS = 60
FRAME = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{http}
}}
"""


@contextlib.contextmanager
def nginx(directory: Path, port: int, http: str) -> Iterator[None]:
    """Run nginx with `http` as the content of its http block, in which a server listens on 127.0.0.1:`port`."""
    command = [program("nginx", "nginx-light"), "-c", str(directory / "nginx.conf"), "-e", str(directory / "nginx.log")]
    (directory / "nginx.conf").write_text(FRAME.format(directory=directory, http=http))
    with (directory / "nginx.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await(process, port, directory / "nginx.log")
        yield
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nginx did not start:\n{log.read_text()}")
