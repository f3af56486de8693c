"""Compose the application. The main decision in this module is the order of the middlewares.

Not in this module: the process that runs it (`app/http/process.py`).
"""

import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any

import a2wsgi
import connexion
from connexion.middleware.lifespan import LifespanMiddleware

from app import __version__, spec
from app.address import BASE_PATH
from app.config import Settings
from app.db import Database
from app.errors import StartError
from app.http import dispatch, flask_hooks, housekeeping, weight
from app.http.access import AccessMiddleware
from app.http.auth import AuthMiddleware, KeyCache
from app.http.bridge import Bridge
from app.http.client_address import ClientAddresses
from app.http.conditions import VersionReader
from app.http.dispatch import Dispatcher, Handler
from app.http.errors import ErrorMiddleware
from app.http.expect import ExpectMiddleware
from app.http.guard import GuardMiddleware
from app.http.key_usage import KeyUsage
from app.http.ratelimit import RateLimiter
from app.http.routing import RoutingMiddleware
from app.http.short_reads import ShortReads
from app.http.system import SystemMiddleware
from app.http.validation import ValidationMiddleware
from app.http.weight import WeightMiddleware
from app.spec import Document, Operation

PATH_PARAMETER = re.compile(r"{(\w+)}")


def create_app(
    settings: Settings, database: Database, *, document: Document | None = None, handlers: str = "handlers"
) -> connexion.FlaskApp:
    """Return the ASGI application for `document` (the project's own by default).

    Raises StartError for an operation without a valid scope or without a handler.
    """
    document = document or spec.document()
    try:
        operations = list(spec.operations(document))
    except spec.SpecError as error:
        raise StartError(f"The OpenAPI document cannot be served: {error}") from error
    functions = dispatch.find_handlers(operations, handlers)
    usage, keys = KeyUsage(database), KeyCache(database, settings.rate_limit)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        flask_hooks.install(app.app)  # Connexion has registered its views
        Dispatcher(database, settings, keys).install(app.app, operations, functions)
        async with usage.writing(), housekeeping.running(database):
            yield
        bridge.stop()
        database.dispose()

    middlewares = _middlewares(settings, database, document, operations, keys=keys, usage=usage)
    app = connexion.FlaskApp(__name__, lifespan=lifespan, middlewares=middlewares)
    app.add_api(_outline(operations), base_path=BASE_PATH, resolver=dispatch.HandlerResolver(functions))
    bridge = _replace_bridge(app, database, functions)
    return app


def _outline(operations: Iterable[Operation]) -> Document:
    """Return a document with what Connexion reads: the paths with their methods, operations and tags.

    Connexion validates, resolves and copies a document at each start: for the whole document, a third of a second and
    4 MiB. Tests validate the whole document, and the middlewares read it.
    """
    paths: dict[str, Document] = {}
    for operation in operations:
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in PATH_PARAMETER.findall(operation.path)
        ]
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            "operationId": operation.id,
            "tags": [operation.tag],
            "parameters": parameters,
            "responses": {"default": {"description": "Described in the document."}},
        }
    return {"openapi": "3.0.3", "info": {"title": "Operations", "version": __version__}, "paths": paths}


def _middlewares(
    settings: Settings,
    database: Database,
    document: Document,
    operations: list[Operation],
    *,
    keys: KeyCache,
    usage: KeyUsage,
) -> list[Any]:
    """Return the middlewares in the order in which they check a request (contract, section 1)."""
    limiter = RateLimiter(settings.rate_limit_storage)
    weights = weight.weights(operations, document)
    addresses = ClientAddresses(settings.trusted_proxies)
    return [
        partial(AccessMiddleware, addresses=addresses, usage=usage),  # request id, address, metrics, access log
        ExpectMiddleware,  # closes the connection after a response that did not wait for the body
        ErrorMiddleware,  # renders every exception of the middlewares below
        GuardMiddleware,  # malformed HTTP: 400, 404
        partial(SystemMiddleware, database=database, serves_metrics=settings.metrics_port == 0),  # health, reference
        partial(
            RoutingMiddleware, operations=operations, base_path=BASE_PATH
        ),  # OPTIONS; no such path or method: 404, 405
        partial(AuthMiddleware, keys=keys, limiter=limiter, weights=weights),  # key: 401, rate limit: 429, scope: 403
        partial(ValidationMiddleware, operations=operations, document=document),  # 406, 415, 413, 400
        partial(WeightMiddleware, limiter=limiter, weights=weights),  # the items of a bulk request: 429
        LifespanMiddleware,  # Connexion's start and stop
    ]


def _replace_bridge(app: connexion.FlaskApp, database: Database, functions: Mapping[str, Handler]) -> Bridge:
    """Replace the a2wsgi of FlaskApp. Its attribute is private, so this checks that it is there."""
    wrapped = app._middleware_app  # noqa: SLF001 - FlaskApp has no public way
    if not isinstance(wrapped.asgi_app, a2wsgi.WSGIMiddleware):
        raise StartError("This version of Connexion is not the one that Distribu requires. Run: make install")
    short_reads = ShortReads(database, functions)
    bridge = Bridge(app.app, versions=VersionReader(database, functions), short_reads=short_reads, database=database)
    wrapped.asgi_app = bridge
    return bridge
