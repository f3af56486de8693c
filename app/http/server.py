"""Put the application together, and run it. The order of the middlewares is this module's one decision."""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from logging import getLogger

import a2wsgi
import connexion
import uvicorn
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.routing import RoutingMiddleware
from uvicorn.supervisors import Multiprocess

from app import __version__, address, logging, spec
from app.address import BASE_PATH
from app.config import Settings
from app.db import Database
from app.errors import StartError
from app.http import counter_folder, dispatch, housekeeping, metrics
from app.http.access import AccessMiddleware
from app.http.auth import AuthMiddleware, KeyRing
from app.http.bridge import Bridge
from app.http.dispatch import Site
from app.http.errors import ErrorMiddleware
from app.http.expect import ExpectMiddleware
from app.http.figures import Figures
from app.http.guard import GuardMiddleware
from app.http.methods import AllowMiddleware, OperationMiddleware
from app.http.protocol import EdgeProtocol
from app.http.ratelimit import RateLimiter
from app.http.system import SystemMiddleware
from app.http.usage import Usage, UsageMiddleware
from app.http.validation import ValidationMiddleware
from app.spec import Document

LOG = getLogger(__name__)
SHUTDOWN_SECONDS = 30
IDLE_SECONDS = 30
SWITCH_SECONDS = 0.0003  # Python's own is 0.005: an order waits for a report's turn at each of its statements


def create_app(
    settings: Settings, database: Database, *, document: Document | None = None, handlers: str = "handlers"
) -> connexion.FlaskApp:
    """Return the ASGI application for `document` (the project's own by default).

    Raises StartError for an operation without a scope or without a handler.
    """
    document = document or spec.document()
    try:
        operations = list(spec.operations(document))
    except spec.SpecError as error:
        raise StartError(f"The OpenAPI document cannot be served: {error}") from error
    functions = dispatch.find_handlers(operations, handlers)
    usage = Usage(database)
    site = Site(database=database, rules=settings.webhook_rules, public_url=settings.public_url)
    app = connexion.FlaskApp(
        __name__,
        lifespan=lambda _: _running(lambda: dispatch.install(app.app, operations, functions, site), usage, database),
        middlewares=[  # the order in which a request is judged (contract, section 1)
            AccessMiddleware,  # gives it an id; counts and logs the answer, whatever it was
            ExpectMiddleware,  # closes the connection of a client that still waits to be asked for its body
            ErrorMiddleware,  # renders every exception of the rest
            GuardMiddleware,  # malformed HTTP: 400, 404
            partial(SystemMiddleware, database=database, serves_metrics=settings.metrics_port == 0),  # health, docs
            partial(AllowMiddleware, operations=operations, base_path=BASE_PATH),  # wrong method: 405; OPTIONS
            RoutingMiddleware,  # Connexion: which operation of the document is it?
            partial(OperationMiddleware, operations={each.id: each for each in operations}),  # none: 404
            partial(  # who, how often, what for: 401, 429, 403
                AuthMiddleware,
                keys=KeyRing(database, settings.rate_limit),
                limiter=RateLimiter(settings.rate_limit_storage),
            ),
            partial(UsageMiddleware, usage=usage),  # notes when the key was last used
            partial(ValidationMiddleware, operations=operations, document=document),  # 406, 415, 413, 400
            LifespanMiddleware,  # Connexion: start and stop
        ],
    )
    app.add_api(document, base_path=BASE_PATH, resolver=dispatch.HandlerResolver(functions))
    _replace_bridge(app, database)
    return app


@contextlib.asynccontextmanager
async def _running(begin: Callable[[], None], usage: Usage, database: Database) -> AsyncIterator[None]:
    """Begin when Connexion has built everything; work in the background meanwhile; close the database at the end."""
    begin()
    async with usage.writing(), housekeeping.running(database):
        yield
    database.dispose()


def _replace_bridge(app: connexion.FlaskApp, database: Database) -> None:
    """Put our bridge where FlaskApp keeps a2wsgi's. The attribute is private, so its being there is checked."""
    wrapped = app._middleware_app  # noqa: SLF001 - FlaskApp offers no other way
    if not isinstance(wrapped.asgi_app, a2wsgi.WSGIMiddleware):
        raise StartError("This version of Connexion is not the one Distribu was made for. Run: make install")
    wrapped.asgi_app = Bridge(app.app.wsgi_app, readers=database.readers, writers=database.writers)


def app_from_environment() -> connexion.FlaskApp:
    """Return the application for the settings of this process: what each worker process starts with."""
    sys.setswitchinterval(SWITCH_SECONDS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings.from_environment()
    logging.configure(settings.log_level)
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
        app if settings.workers == 1 else "app.http.server:app_from_environment",
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
