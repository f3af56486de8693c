"""What Flask does for each request, reduced to what this server uses, through the hooks that Flask documents.

Flask reads a request from the WSGI environ, matches its path, opens a session, and writes the response as WSGI. Routing
has matched the path already, handlers have no session and do not read the request, and the response is sent as ASGI.
The view is called in the same contexts and with the same handling of exceptions.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import flask
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import Rule

from app.http.request_state import STATE_KEY, Headers, RequestState

NO_SESSION = NullSession()

Environ = dict[str, Any]


def environ(method: str, state: RequestState) -> Environ:
    """Return what the hooks in this module read."""
    return {"REQUEST_METHOD": method, STATE_KEY: state}


def install(app: flask.Flask) -> None:
    """Make Flask use the operation that routing has found. All views have been registered."""
    matches = {rule.endpoint.rpartition(".")[2]: RuleMatch(rule) for rule in app.url_map.iter_rules()}

    def create_url_adapter(request: flask.Request | None) -> RuleMatch | None:
        if request is None:  # for a context without a request
            return None
        state: RequestState = request.environ[STATE_KEY]
        assert state.operation is not None  # RoutingMiddleware runs first
        return matches[state.operation.id]

    def full_dispatch_request() -> flask.Response:
        rule = request_ctx.request.url_rule
        assert rule is not None
        try:
            response = app.view_functions[rule.endpoint]()
        except Exception as error:  # noqa: BLE001 - Flask raises it, or what Connexion makes of it
            return app.make_response(app.handle_user_exception(error))
        return cast("WireResponse", response)

    # No function is registered to be called before or after a view, or at the end of a context.
    assert not any((app.before_request_funcs, app.after_request_funcs, app.url_value_preprocessors))
    assert not any((app.teardown_request_funcs, app.teardown_appcontext_funcs))
    app.full_dispatch_request = full_dispatch_request  # type: ignore[method-assign]
    app.create_url_adapter = create_url_adapter  # type: ignore[assignment,method-assign]  # a part of a MapAdapter
    app.request_class = MatchedRequest
    app.app_ctx_globals_class = object  # type: ignore[assignment]  # `flask.g` keeps nothing: requests share a context
    app.response_class = WireResponse
    app.session_interface = NoSessions()


def keep_app_context(app: flask.Flask) -> None:
    """Push an application context if there is none. It stays, and all later requests of the thread share it."""
    if not flask.has_app_context():
        app.app_context().push()


class RuleMatch:
    """The part of werkzeug's MapAdapter that Flask calls for a request, for the rule of one operation."""

    def __init__(self, rule: Rule) -> None:
        """Initialize with the rule, whose endpoint is the view."""
        self._match: tuple[Rule, Mapping[str, Any]] = rule, {}

    def match(self, *, return_rule: bool) -> tuple[Rule, Mapping[str, Any]]:
        """Return the rule, and no arguments: the RequestState has them."""
        assert return_rule
        return self._match


class MatchedRequest(flask.Request):
    """A request of which Flask knows the method and the operation. Handlers get the rest as arguments."""

    blueprints: Sequence[str] = ()  # type: ignore[assignment]  # none has functions to be called for a request

    def __init__(self, environ: Environ) -> None:  # not that of the base class, which reads headers, host and path
        """Initialize with what `environ` returned."""
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]

    @property
    def state(self) -> RequestState:
        """What the middlewares found out about the request."""
        state: RequestState = self.environ[STATE_KEY]
        return state


class WireResponse(flask.Response):
    """A response as ASGI sends it. Flask passes it on as it is."""

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes = b""
    ) -> None:  # not that of the base class
        """Encode the headers, and add the length."""
        self.wire_status = status
        self.wire_body = body
        self.wire_headers: Headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        if status != HTTPStatus.NOT_MODIFIED:
            self.wire_headers.append((b"content-length", b"%d" % len(body)))

    def __call__(self, _environ: object, _start_response: object) -> "WireResponse":  # type: ignore[override]
        """Return this response instead of calling WSGI's `start_response`."""
        return self


class NoSessions(SessionInterface):
    """Sessions for an application without sessions: one that is empty and never stored."""

    def open_session(self, _app: flask.Flask, _request: flask.Request) -> NullSession:
        """Return the empty session."""
        return NO_SESSION

    def is_null_session(self, _session: object) -> bool:
        """Return True: no session is stored."""
        return True
