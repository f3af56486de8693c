"""Run the server: listen, fork, count, and end on a signal. Not here: the application itself (`app/http/server.py`)."""

import contextlib
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
from app.http import counter_folder, metrics
from app.http.figures import Figures
from app.http.protocol import EdgeProtocol
from app.http.server import create_app

LOG = getLogger(__name__)
SHUTDOWN_SECONDS = 30
IDLE_SECONDS = 30
SWITCH_SECONDS = 0.0003  # Python's own is 0.005: an order waits for a report's turn at each of its statements


def app_from_environment() -> connexion.FlaskApp:
    """Return the application for the settings of this process: what each worker process starts with."""
    sys.setswitchinterval(SWITCH_SECONDS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return create_app(settings, Database(settings))


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: it would go on holding the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def run(settings: Settings, database: Database, companion: AbstractContextManager[None]) -> None:
    """Serve until a signal ends it, with `companion` at work meanwhile.

    Raises StartError when the port cannot be had or the document not served.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app(settings, database)  # here, so that what is wrong is said in one line, not by a worker
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
    if settings.workers > 1:
        _warn_of_private_counters(settings)
    signal.signal(signal.SIGTERM, _leave)  # uvicorn repeats the signal when it has stopped
    with listening, _counting(settings, database), companion:
        if settings.workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])


def _leave(*_: object) -> None:
    """End the way a command does, so that everything is tidied up."""
    sys.exit(0)


@contextlib.contextmanager
def _counting(settings: Settings, database: Database) -> Iterator[None]:
    """Let several processes count together, and give the counters their own port if they have one."""
    with counter_folder.shared() if settings.workers > 1 else contextlib.nullcontext():
        if settings.metrics_port:
            _serve_metrics(settings.host, settings.metrics_port, database)
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or error
        reason = f"{cause}. Set DISTRIBU_HOST or DISTRIBU_PORT, or stop what listens there"
        raise StartError(f"Cannot listen on {host}:{port}: {reason}.") from error
    listening.set_inheritable(True)
    return listening


def _serve_metrics(host: str, port: int, database: Database) -> None:
    try:
        metrics.serve(host, port, Figures(database))
    except OSError as error:
        reason = f"{error.strerror or error}. Set DISTRIBU_METRICS_PORT, or stop what listens there"
        raise StartError(f"Cannot listen on {host}:{port}: {reason}.") from error


def _warn_of_private_counters(settings: Settings) -> None:
    if settings.rate_limit_storage == "memory://":
        LOG.warning(
            "Each process counts requests by itself: a key may pass its rate limit up to %s times over. "
            "Set DISTRIBU_RATE_LIMIT_STORAGE=redis://… to share the counter.",
            settings.workers,
        )
