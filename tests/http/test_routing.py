"""The table of operations has the same result as Connexion's router, in the same form."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import connexion.middleware.routing
import pytest
from connexion.middleware.abstract import ROUTING_CONTEXT
from connexion.spec import Specification
from starlette.exceptions import HTTPException

from app import spec
from app.address import BASE_PATH
from app.http.dispatch import HandlerResolver
from app.http.errors import ApiError
from app.http.request_state import STATE_KEY, RequestHeaders, RequestState
from app.http.routing import RouteTable, RoutingMiddleware
from app.spec import Document

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "X")
IDS = ("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "products", "a b", "%41", "zażółć", "\ufffd", "{productId}", "...", "_")
ODD_PATHS = (
    BASE_PATH + "/",
    BASE_PATH + "/nothing",
    BASE_PATH + "/Products",
    BASE_PATH + "/products/1/2/3/4/5/6",
    BASE_PATH + BASE_PATH + "/products",
    BASE_PATH + "x/products",
    "/api/v2/products",
    "/products",
    "/nothing",
)
# The first operation of the document that has the path and the method is the one that is called.
OVERLAPPING = (
    ("get", "/orders/{orderId}"),
    ("post", "/orders/latest"),
    ("get", "/orders/latest"),
    ("put", "/orders/newest"),
    ("get", "/{kind}/latest"),
    ("delete", "/{kind}/{id}"),
    ("get", "/orders/{orderId}/items/{itemId}"),
    ("patch", "/orders/{orderId}/{part}/all"),
)


def overlapping() -> Document:
    paths: Document = {}
    for number, (method, path) in enumerate(OVERLAPPING):
        names = [name.strip("{}") for name in path.split("/") if name.startswith("{")]
        paths.setdefault(path, {})[method] = {
            "operationId": f"operation{number}",
            "tags": ["Test"],
            "x-scope": "any",
            "parameters": [{"name": name, "in": "path", "required": True, "schema": {}} for name in names],
            "responses": {"200": {"description": "Nothing."}},
        }
    return {"openapi": "3.0.3", "info": {"title": "Test", "version": "1"}, "paths": paths}


DOCUMENTS = {"the document": spec.document(), "overlapping paths": overlapping()}


class Routers:
    """Connexion's router and this project's, for one document."""

    def __init__(self, document: Document) -> None:
        self.operations = list(spec.operations(document))
        resolver = HandlerResolver(dict.fromkeys((operation.id for operation in self.operations), print))
        self._seen: list[Any] = []
        self._theirs = connexion.middleware.routing.RoutingMiddleware(self._next)
        self._theirs.add_api(Specification.load(document), base_path=BASE_PATH, resolver=resolver)
        self._ours = RoutingMiddleware(self._next, operations=self.operations, base_path=BASE_PATH)

    def theirs(self, method: str, path: str) -> Any:
        try:
            return self._run(self._theirs, method, path)
        except HTTPException as error:
            return error.status_code

    def ours(self, method: str, path: str) -> Any:
        try:
            return self._run(self._ours, method, path)
        except ApiError as error:
            return error.status

    async def _next(self, scope: Any, _receive: Any, _send: Any) -> None:
        context = scope["extensions"][ROUTING_CONTEXT]
        self._seen.append(404 if context["operation_id"] is None else (context, scope["path_params"]))

    def _run(self, router: Any, method: str, path: str) -> Any:
        state = RequestState(request_id="test", path=path, received=RequestHeaders([]), server=("127.0.0.1", 80))
        scope = {"type": "http", "method": method, "path": path, "app": None, STATE_KEY: state}
        with contextlib.suppress(StopIteration):
            router(scope, None, None).send(None)  # runs to its end: nothing here waits
        return self._seen.pop()


def paths(document: Document) -> Iterator[str]:
    for template in document["paths"]:
        for number in range(len(IDS)):
            values = itertools.cycle([*IDS[number:], *IDS[:number]])
            segments = [next(values) if segment.startswith("{") else segment for segment in template.split("/")]
            yield BASE_PATH + "/".join(segments)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_path_and_method_leads_where_connexion_leads(document: Document) -> None:
    routers = Routers(document)
    requests = list(itertools.product(METHODS, dict.fromkeys([*paths(document), *ODD_PATHS])))

    found = {(method, path): routers.ours(method, path) for method, path in requests}

    assert found == {(method, path): routers.theirs(method, path) for method, path in requests}
    assert {context["operation_id"] for context, _ in (value for value in found.values() if isinstance(value, tuple))}


def test_every_operation_is_found() -> None:
    operations = list(spec.operations(spec.document()))
    table = RouteTable(operations, BASE_PATH)

    found = [table.find(operation.method, BASE_PATH + operation.path) for operation in operations]

    assert [match.operation for match in found if match] == operations


def test_the_methods_of_a_path_are_those_of_its_first_form() -> None:
    table = RouteTable(spec.operations(overlapping()), BASE_PATH)

    assert table.allow(BASE_PATH + "/orders/latest") == "GET, HEAD, OPTIONS"
    assert table.allow(BASE_PATH + "/returns/latest") == "GET, HEAD, OPTIONS"
    assert table.allow(BASE_PATH + "/orders/newest") == "GET, HEAD, OPTIONS"
    assert table.allow(BASE_PATH + "/returns/newest") == "DELETE, OPTIONS"


@pytest.mark.parametrize("path", ["/products/", "/products//inventory-movements", "//products", ""])
def test_an_empty_segment_is_no_argument(path: str) -> None:
    table = RouteTable(spec.operations(spec.document()), BASE_PATH)

    assert table.find("GET", BASE_PATH + path) is None
    assert table.allow(BASE_PATH + path) is None
