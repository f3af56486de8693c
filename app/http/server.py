"""Put the application together. The order of the middlewares is this module's one decision.

Not here: the process that runs it (`app/http/process.py`).
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

import a2wsgi
import connexion
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.routing import RoutingMiddleware

from app import spec
from app.address import BASE_PATH
from app.config import Settings
from app.db import Database
from app.errors import StartError
from app.http import dispatch, housekeeping
from app.http.access import AccessMiddleware
from app.http.auth import AuthMiddleware, KeyCache
from app.http.bridge import Bridge
from app.http.dispatch import Site
from app.http.errors import ErrorMiddleware
from app.http.expect import ExpectMiddleware
from app.http.guard import GuardMiddleware
from app.http.key_usage import Usage, UsageMiddleware
from app.http.methods import AllowMiddleware, OperationMiddleware
from app.http.ratelimit import RateLimiter
from app.http.system import SystemMiddleware
from app.http.validation import ValidationMiddleware
from app.spec import Document


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
    site = Site(database=database, egress_policy=settings.egress_policy, public_url=settings.public_url)
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
                keys=KeyCache(database, settings.rate_limit),
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
