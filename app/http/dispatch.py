"""From an operation to its handler, inside a transaction, with its Context.

The resolver binds tag and operationId to `handlers/<tag>.py::<snake_case>`; a missing one stops the start.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
from connexion.resolver import Resolution, Resolver

from app import address
from app.context import Actor, ActorType, Context, now
from app.db import Database, retrying
from app.egress import EgressPolicy
from app.errors import StartError
from app.http import idempotency, links
from app.http.idempotency import Answer, to_answer
from app.http.request_state import KEY, Call
from app.spec import Operation

Handler = Callable[..., Any]
READING = frozenset({"GET"})
BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What the settings of this server decide for every request."""

    database: Database
    egress_policy: EgressPolicy
    public_url: str

    def url(self, call: Call) -> str:
        """Return the address of this server for the client of a call: the public one, or the socket that it reached."""
        return self.public_url or address.reached(*call.server)

    @property
    def prefix(self) -> str:
        """Return the path below which clients see this server."""
        return address.prefix(self.public_url)


class HandlerResolver(Resolver):  # type: ignore[misc]  # Connexion is not typed
    """Connexion's way from an operation to a function; every function was found before the start."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        """Take the handlers by operationId."""
        super().__init__()
        self._handlers = handlers

    def resolve(self, operation: Any) -> Resolution:
        """Return the handler; the operation keeps the id that the document gave it."""
        return Resolution(self._handlers[operation.operation_id], operation.operation_id)


def find_handlers(operations: Iterable[Operation], package: str) -> dict[str, Handler]:
    """Return the handler of each operation. Raises StartError naming the first one that is missing."""
    return {operation.id: _find(operation, package) for operation in operations}


def install(
    app: flask.Flask,
    operations: Iterable[Operation],
    handlers: Mapping[str, Handler],
    site: Site,
) -> None:
    """Put our views where Connexion registered its own, which build their decorators anew for every request."""
    by_id = {operation.id: operation for operation in operations}
    endpoints = [endpoint for endpoint in app.view_functions if endpoint != "static"]
    assert {endpoint.rpartition(".")[2] for endpoint in endpoints} == by_id.keys()  # or Connexion names them otherwise
    for endpoint in endpoints:
        operation = by_id[endpoint.rpartition(".")[2]]
        app.view_functions[endpoint] = _view(operation, handlers[operation.id], site)


def _find(operation: Operation, package: str) -> Handler:
    module = f"{package}.{BOUNDARY.sub('_', operation.tag).lower().replace(' ', '_')}"
    name = BOUNDARY.sub("_", operation.id).lower()
    try:
        handler: Handler = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StartError(f"The operation {operation.id} has no handler {module}.{name}: {error}.") from error
    return handler


def _view(operation: Operation, handler: Handler, site: Site) -> Handler:
    if operation.is_public:
        return lambda **_path: handler(site.url(_call()), **_call().arguments)
    if operation.method in READING:
        return lambda **_path: _read(handler, _call(), site)
    return lambda **_path: _write(operation, handler, _call(), site)


def _read(handler: Handler, call: Call, site: Site) -> flask.Response:
    with site.database.transaction() as session:
        result = handler(_context(call, session, site.egress_policy), **call.arguments)
    answer = to_answer(result)
    answer.headers.update(links.to_next_page(site.prefix + flask.request.path, call.query, result))
    return _response(answer, site)


def _write(operation: Operation, handler: Handler, call: Call, site: Site) -> flask.Response:
    """Run a handler that changes something, in one transaction that also stores the answer to its twins."""
    arguments = dict(call.arguments)
    key = arguments.pop(idempotency.PARAMETER, None)
    fingerprint = idempotency.fingerprint(arguments) if key else b""

    def attempt() -> Answer:
        with site.database.transaction(write=True) as session:
            ctx = _context(call, session, site.egress_policy)

            def act() -> Answer:
                return to_answer(handler(ctx, **arguments))

            if key is None:
                return act()
            return idempotency.once(ctx, operation.id, idempotency.clean(key), fingerprint, act)

    return _response(retrying(attempt), site)


def _response(answer: Answer, site: Site) -> flask.Response:
    """Return the answer of Flask. Locations are kept without the prefix, which may change while they are stored."""
    headers = dict(answer.headers)
    if "Location" in headers:
        headers["Location"] = site.prefix + headers["Location"]
    return flask.Response(answer.body, status=answer.status, headers=headers)


def _call() -> Call:
    call: Call = flask.request.environ[KEY]
    return call


def _context(call: Call, session: Any, egress_policy: EgressPolicy) -> Context:
    assert call.key is not None  # AuthMiddleware let it through
    return Context(
        session=session,
        actor=Actor(type=ActorType.API_KEY, id=call.key.id),
        company_id=call.key.company_id,
        request_id=call.request_id,
        now=now(),
        egress_policy=egress_policy,
        address=call.address,
        key=call.key,
    )
