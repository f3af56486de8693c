"""From an operation to its handler, in a transaction, with its Context.

The resolver maps a tag and an operationId to `handlers/<tag>.py::<snake_case>`; if a handler is missing, the server
does not start.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

import flask
from connexion.resolver import Resolution, Resolver
from sqlalchemy.orm import Session

from app import address, clock, db, spec
from app.config import Settings
from app.context import Actor, ActorType, Context
from app.db import Database, retrying
from app.errors import StartError
from app.http import conditions, downloads, idempotency, links, response
from app.http.auth import KeyCache
from app.http.flask_hooks import MatchedRequest, WireResponse
from app.http.request_state import RequestState
from app.http.response import Response
from app.preconditions import NO_PRECONDITION, Precondition
from app.schemas.responses import Download
from app.services import keys
from app.spec import Operation

Handler = Callable[..., Any]
View = Callable[..., WireResponse]


class HandlerResolver(Resolver):  # type: ignore[misc]  # Connexion is not typed
    """Connexion's interface for finding the function of an operation. All handlers are found when the server starts."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        """Initialize with the handlers by operationId."""
        super().__init__()
        self._handlers = handlers

    def resolve(self, operation: Any) -> Resolution:
        """Return the handler. The operation keeps its id from the document."""
        return Resolution(self._handlers[operation.operation_id], operation.operation_id)


def find_handlers(operations: Iterable[Operation], package: str) -> dict[str, Handler]:
    """Return the handler of each operation by its id. Raises StartError for the first one that is missing."""
    return {operation.id: _find_handler(operation, package) for operation in operations}


def _find_handler(operation: Operation, package: str) -> Handler:
    module = f"{package}.{spec.snake_case(operation.tag)}"
    name = spec.snake_case(operation.id)
    try:
        handler: Handler = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StartError(f"The operation {operation.id} has no handler {module}.{name}: {error}.") from error
    return handler


class Dispatcher:
    """Runs handlers and converts their results to responses."""

    def __init__(self, database: Database, settings: Settings, key_cache: KeyCache) -> None:
        """Initialize with the database, the settings that handlers and responses depend on, and the cache of keys."""
        self._database = database
        self._key_cache = key_cache
        self._egress_policy = settings.egress_policy
        self._public_url = settings.public_url
        self._prefix = address.prefix(settings.public_url)  # of the paths that clients see

    def install(self, app: flask.Flask, operations: Iterable[Operation], handlers: Mapping[str, Handler]) -> None:
        """Replace the views that Connexion registered, which build their decorators again for every request."""
        by_id = {operation.id: operation for operation in operations}
        endpoints = [endpoint for endpoint in app.view_functions if endpoint != "static"]
        names = {endpoint.rpartition(".")[2] for endpoint in endpoints}
        assert names == by_id.keys()  # Connexion names endpoints after operations
        for endpoint in endpoints:
            operation = by_id[endpoint.rpartition(".")[2]]
            app.view_functions[endpoint] = self._view(operation, handlers[operation.id])

    def _view(self, operation: Operation, handler: Handler) -> View:
        if operation.is_public:
            return lambda **_path: self._serve_public(handler, _state())
        if operation.is_read_only:
            return lambda **_path: self._read(handler, _state())
        return lambda **_path: self._write(operation, handler, _state())

    def _serve_public(self, handler: Handler, state: RequestState) -> WireResponse:
        """Run a handler that needs no transaction, only the address of this server as the client knows it."""
        url = self._public_url or address.reached(*state.server)
        result = handler(url, **conditions.without_headers(state.arguments))
        if isinstance(result, Download):
            return downloads.respond(result, state)
        body, status, headers = result
        return WireResponse(status, headers, body)

    def _read(self, handler: Handler, state: RequestState) -> WireResponse:
        arguments = conditions.without_headers(state.arguments)
        arguments.pop(idempotency.ARGUMENT, None)  # of a dry run, of which nothing is stored
        with self._database.transaction(is_on_loop=state.is_on_loop) as session:
            result = handler(self._context(state, session), **arguments)
        found = response.from_result(result)
        tag = found.headers.get("ETag")
        if conditions.matches(state.arguments.get(conditions.IF_NONE_MATCH), tag):
            return WireResponse(conditions.NOT_MODIFIED, {"ETag": str(tag)})
        found.headers.update(links.to_next_page(self._prefix + state.path, state.query, result))
        return self._flask_response(found)

    def _write(self, operation: Operation, handler: Handler, state: RequestState) -> WireResponse:
        """Run a handler that writes, in one transaction that also stores the response for duplicate requests.

        A dry run is a read.
        """
        if operation.dry_run_member and (state.arguments.get("body") or {}).get(operation.dry_run_member):
            return self._read(handler, state)
        arguments = conditions.without_headers(state.arguments)
        precondition = conditions.precondition(state.arguments)
        header = arguments.pop(idempotency.ARGUMENT, None)
        key = idempotency.read(header) if header else None
        fingerprint = idempotency.fingerprint(arguments) if key else b""

        def attempt() -> Response:
            with self._database.transaction(write=True, group=state.group) as session:
                ctx = self._context(state, session, precondition)

                def run() -> Response:
                    return response.from_result(handler(ctx, **arguments))

                found = run() if key is None else idempotency.replay_or_run(ctx, operation, key, fingerprint, run)
                db.after_commit(session, partial(self._key_cache.forget, keys.changed_digests(session)))
            return found

        return self._flask_response(retrying(attempt))

    def _flask_response(self, found: Response) -> WireResponse:
        """Return Flask's response. A `Location` is stored without the prefix, which may change."""
        headers = dict(found.headers)
        if "Location" in headers:
            headers["Location"] = self._prefix + headers["Location"]
        return WireResponse(found.status, headers, found.body)

    def _context(self, state: RequestState, session: Session, precondition: Precondition = NO_PRECONDITION) -> Context:
        assert state.key is not None  # AuthMiddleware rejects requests without a key
        return Context(
            session=session,
            actor=Actor(type=ActorType.API_KEY, id=state.key.id),
            company_id=state.key.company_id,
            request_id=state.request_id,
            now=clock.time_of(session),
            egress_policy=self._egress_policy,
            address=state.address,
            key=state.key,
            precondition=precondition,
        )


def _state() -> RequestState:
    request = cast("MatchedRequest", flask.request)
    return request.state
