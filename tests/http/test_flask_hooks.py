"""Flask with hooks: it calls the view of the operation that routing has found, and responds as it does without them."""

import contextvars
from typing import Any

import flask
import pytest
import starlette.exceptions
import werkzeug.exceptions
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import spec
from app.address import BASE_PATH
from app.errors import NotFoundError
from app.http import flask_hooks
from app.http.flask_hooks import WireResponse
from app.http.request_state import RequestHeaders, RequestState
from app.spec import Operation

SERVER = ("127.0.0.1", 80)
OPERATIONS = {operation.id: operation for operation in spec.operations(spec.document())}
RESPONSES = {
    "page": (200, {"Content-Type": "application/json", "Link": '</products?cursor=1>; rel="next"'}, b'{"data": []}'),
    "resource": (200, {"Content-Type": "application/json", "ETag": '"5a"'}, '{"name": "zażółć"}'.encode()),
    "created": (201, {"Content-Type": "application/json", "Location": "/api/v1/products/5a"}, b"{}"),
    "yaml": (200, {"Content-Type": "application/yaml"}, b"paths: {}"),
    "empty": (200, {"Content-Type": "application/json"}, b""),
    "not modified": (304, {"ETag": '"5a"'}, b""),
    "refused": (422, {"Content-Type": "application/json"}, b'{"code": "x"}'),
}


def environ(operation: Operation) -> Any:
    state = RequestState(request_id="test", path=BASE_PATH + operation.path, received=RequestHeaders([]), server=SERVER)
    state.operation = operation
    return flask_hooks.environ(operation.method, state)


def run(app: flask.Flask, operation: Operation) -> Any:
    return app.wsgi_app(environ(operation), None)  # type: ignore[arg-type]  # not called


def application(view: Any) -> flask.Flask:
    """Return an application with a view for every operation, as Connexion registers them, and the hooks."""
    app = flask.Flask("test", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = app.config["TRAP_HTTP_EXCEPTIONS"] = True
    blueprint = flask.Blueprint("/api/v1", "test", url_prefix=BASE_PATH)
    for operation in OPERATIONS.values():
        path = operation.path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(path, operation.id, view, methods=[operation.method])
    app.register_blueprint(blueprint)
    flask_hooks.install(app)
    return app


def test_flask_calls_the_view_that_its_own_matching_finds() -> None:
    seen: list[str | None] = []

    def view(**_arguments: str) -> WireResponse:
        assert flask.current_app == app
        seen.append(flask.request.endpoint)
        return WireResponse(200, {})

    app = application(view)
    for operation in OPERATIONS.values():
        run(app, operation)

    own = app.url_map.bind("localhost")
    assert seen == [own.match(BASE_PATH + one.path, one.method)[0] for one in OPERATIONS.values()]


@pytest.mark.parametrize("content", RESPONSES.values(), ids=RESPONSES)
def test_a_response_has_the_headers_that_flask_would_send(content: tuple[int, dict[str, str], bytes]) -> None:
    status, headers, body = content
    plain = flask.Response(body, status=status, headers=headers)
    chunks, text, expected = run_wsgi_app(plain, EnvironBuilder().get_environ())

    response = run(application(lambda **_: WireResponse(status, headers, body)), OPERATIONS["getProduct"])

    assert (response.wire_status, response.wire_body) == (int(text[:3]), b"".join(chunks))
    assert response.wire_headers == [(name.lower().encode(), value.encode()) for name, value in expected]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (NotFoundError("Product"), NotFoundError),
        (ZeroDivisionError(), ZeroDivisionError),
        (werkzeug.exceptions.ImATeapot(), starlette.exceptions.HTTPException),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_reaches_the_middlewares(error: Exception, raised: type[Exception]) -> None:
    def view(**_arguments: str) -> WireResponse:
        raise error

    def raise_again(error: werkzeug.exceptions.HTTPException) -> Any:  # as Connexion does
        raise starlette.exceptions.HTTPException(error.code or 500)

    app = application(view)
    app.register_error_handler(werkzeug.exceptions.HTTPException, raise_again)

    with pytest.raises(raised):
        run(app, OPERATIONS["getProduct"])
    assert not flask.has_request_context()
    assert not flask.has_app_context()


def test_the_context_of_the_application_stays_for_the_next_request() -> None:
    contexts = []

    def view(**_arguments: str) -> WireResponse:
        contexts.append(flask.globals.app_ctx._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001
        assert flask.request.method == "GET"
        return WireResponse(200, {})

    app = application(view)

    def run_twice() -> None:
        for _ in range(2):
            flask_hooks.keep_app_context(app)
            run(app, OPERATIONS["getProduct"])
            assert not flask.has_request_context()

    contextvars.copy_context().run(run_twice)
    contextvars.copy_context().run(run_twice)

    assert contexts[0] is contexts[1] is not contexts[2] is contexts[3]


def test_flask_itself_returns_the_response_of_the_view() -> None:
    """What Flask does around a view, which the hooks leave out, has no effect."""
    response = WireResponse(200, {})
    app = application(lambda **_: response)

    with app.request_context(environ(OPERATIONS["getProduct"])):
        assert flask.Flask.full_dispatch_request(app) is app.full_dispatch_request() is response


@pytest.mark.parametrize("register", ["before_request", "after_request", "teardown_request", "teardown_appcontext"])
def test_a_function_that_flask_would_call_before_or_after_a_view_is_an_error(register: str) -> None:
    app = flask.Flask("test", static_folder=None)
    getattr(app, register)(lambda *_: None)

    with pytest.raises(AssertionError):
        flask_hooks.install(app)


def test_no_value_stays_for_the_next_request() -> None:
    def view(**_arguments: str) -> WireResponse:
        with pytest.raises(AttributeError):
            flask.g.company = "c1"
        return WireResponse(200, {})

    assert run(application(view), OPERATIONS["getProduct"]).wire_status == 200


def test_there_is_no_session() -> None:
    def view(**_arguments: str) -> WireResponse:
        assert not flask.session
        with pytest.raises(RuntimeError):
            flask.session["a"] = 1
        return WireResponse(200, {})

    assert run(application(view), OPERATIONS["getProduct"]).wire_headers == [(b"content-length", b"0")]
