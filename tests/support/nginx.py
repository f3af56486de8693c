"""A real nginx: the reverse proxy in front of most servers."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.support import waiting
from tests.support.debian import program

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
    """Run nginx with `http` as its http block, which has a server that listens on 127.0.0.1:`port`."""
    command = [program("nginx", "nginx-light"), "-c", str(directory / "nginx.conf"), "-e", str(directory / "nginx.log")]
    (directory / "nginx.conf").write_text(FRAME.format(directory=directory, http=http))
    log_file = directory / "nginx.log"
    with log_file.open("ab") as log, waiting.process(command, stdout=log, stderr=log) as process:
        waiting.until_it_listens(process, port, log_file)
        yield
        waiting.end(process)
