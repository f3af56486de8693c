"""Run the server: listen, start worker processes, serve metrics, stop on a signal.

Not in this module: the application (`app/http/server.py`).
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from logging import getLogger

import connexion
import uvicorn
from uvicorn.supervisors import Multiprocess

from app import __version__, address, logs
from app.address import BASE_PATH
from app.config import Settings
from app.db import Database
from app.errors import StartError
from app.http import counter_directory, metrics
from app.http.metrics_collector import MetricsCollector
from app.http.protocol import EdgeProtocol
from app.http.server import create_app

LOG = getLogger(__name__)
SHUTDOWN_SECONDS = 30
IDLE_SECONDS = 30  # of a connection between two requests; nginx allows 75, Node.js 5
LISTEN_BACKLOG = 2048  # uvicorn's default
M_ARENA_MAX, ARENAS = -8, 1  # malloc.h; a second arena takes 1 MiB more in a busy server, and as much CPU time
SWITCH_INTERVAL_SECONDS = 0.0003  # docs/decisions/0006; Python's default is 0.005
# Objects between two collections of cycles, and collections between those of older objects. Requests create thousands
# of objects and almost no cycles: with Python's default of 700, 10 and 10, pages take 5 % more CPU time.
COLLECTION_THRESHOLDS = (10_000, 20, 50)


def app_from_environment() -> connexion.FlaskApp:
    """Return the application of a worker process, for the settings of its environment."""
    _prepare()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return create_app(settings, Database(settings))


def _prepare() -> None:
    """Switch between threads more often: after every statement, an order waits for the thread of a report.

    Look for cycles less often. Use one arena of glibc's allocator: by default it makes one for each thread, and each
    keeps what its thread has freed.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    if sys.platform == "linux":
        limit_arenas = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and no arenas
        if limit_arenas is not None:
            limit_arenas(M_ARENA_MAX, ARENAS)


def _end_with_parent() -> None:
    """End this process when its parent is killed: it would otherwise keep the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def run(settings: Settings, database: Database, companion: AbstractContextManager[None]) -> None:
    """Serve until a signal arrives. `companion` is entered for the same time.

    Raises StartError when the port is not available or the document cannot be served.
    """
    _prepare()
    app = create_app(settings, database)  # before the workers start, so that an error is reported in one line
    listening = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        app if settings.workers == 1 else "app.http.process:app_from_environment",
        factory=settings.workers > 1,
        workers=settings.workers,
        http=EdgeProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    LOG.info(
        "Distribu %s listens on %s. API: %s%s/, reference: %s/docs",
        __version__,
        address.reached(settings.host, settings.port),
        settings.site_url,
        BASE_PATH,
        settings.site_url,
    )
    _warn_of_separate_counters(settings)
    _warn_of_forged_addresses(settings)
    signal.signal(signal.SIGTERM, _exit)  # uvicorn repeats the signal when it has stopped
    with listening, _metrics_served(settings, database), companion:
        if settings.workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _exit(*_: object) -> None:
    """End like a command, so that context managers clean up."""
    sys.exit(0)


@contextlib.contextmanager
def _metrics_served(settings: Settings, database: Database) -> Iterator[None]:
    """Share the counters of several processes, and serve them on a separate port if one is set."""
    with counter_directory.shared() if settings.workers > 1 else contextlib.nullcontext():
        if settings.metrics_port:
            _serve_metrics(settings.host, settings.metrics_port, database)
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(LISTEN_BACKLOG)
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or error
        reason = f"{cause}. Set DISTRIBU_HOST or DISTRIBU_PORT, or stop the program that listens there"
        raise StartError(f"Cannot listen on {host}:{port}: {reason}.") from error
    listening.set_inheritable(True)
    return listening


def _serve_metrics(host: str, port: int, database: Database) -> None:
    try:
        metrics.serve(host, port, MetricsCollector(database))
    except OSError as error:
        reason = f"{error.strerror or error}. Set DISTRIBU_METRICS_PORT, or stop the program that listens there"
        raise StartError(f"Cannot listen on {host}:{port}: {reason}.") from error


def _warn_of_separate_counters(settings: Settings) -> None:
    if settings.workers > 1 and settings.rate_limit_storage == "memory://":
        LOG.warning(
            "Each process counts requests separately, so a key may send up to %s times its rate limit. "
            "Set DISTRIBU_RATE_LIMIT_STORAGE=redis://… to share the counter.",
            settings.workers,
        )


def _warn_of_forged_addresses(settings: Settings) -> None:
    if any(network.prefixlen == 0 for network in settings.trusted_proxies):
        LOG.warning(
            "DISTRIBU_TRUSTED_PROXIES contains every address, so clients can choose the address that is compared with "
            "the allowed networks of their keys. List only the addresses of your proxies."
        )
