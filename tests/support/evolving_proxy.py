"""A proxy that changes responses as later versions of v1 may: new fields, new headers, and new values of open lists.

A client that is generated from the document of today must work through it.
"""

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app import spec
from app.address import BASE_PATH
from app.spec import Document
from tests.support import local_http, waiting
from tests.support.servers import free_port

FIELD, HEADER = "fieldOfALaterVersion", "x-header-of-a-later-version"
SUFFIX = "_NEW"  # within the `maxLength` of every list
OPEN_LIST = "x-extensible-enum"
NOT_FORWARDED = {
    *("connection", "content-encoding", "content-length", "host", "http2-settings", "transfer-encoding", "upgrade")
}


class EvolvingProxy:
    """Forwards requests, and adds a field to every object of a response and a suffix to every value of an open list.

    `fields` counts the new fields. `lists` has every open list that had a new value.
    """

    def __init__(self, upstream: httpx.Client) -> None:
        self.fields = 0
        self.lists: set[tuple[str, ...]] = set()
        self._document = spec.published()
        self._operations = [
            (operation.method, re.compile(BASE_PATH + re.sub(r"\{[^}]*\}", "[^/]+", operation.path)), operation)
            for operation in spec.operations(self._document)
        ]
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await run_in_threadpool(self._respond, request, await request.body())
        await response(scope, receive, send)

    def _respond(self, request: Request, body: bytes) -> Response:
        target = request.url.path + ("?" + request.url.query if request.url.query else "")
        headers = {**_forwarded(request.headers.items()), "accept-encoding": "identity"}
        found = self._upstream.request(request.method, target, headers=headers, content=body)
        content, schema = found.content, self._schema(request.method, request.url.path, found.status_code)
        if content and schema is not None:
            content = json.dumps(self._evolved(json.loads(content), schema)).encode()
        return Response(content, found.status_code, {**_forwarded(found.headers.items()), HEADER: "new"})

    def _schema(self, method: str, path: str, status: int) -> Document | None:
        """Return the schema of the JSON of a response, or None if it has no fields."""
        for known, pattern, operation in self._operations:
            if method == known and pattern.fullmatch(path):
                found = spec.resolve(self._document, operation.definition["responses"].get(str(status), {}))
                content = found.get("content", {}).get("application/json")
                schema: Document | None = content and spec.dereference(self._document, content["schema"])
                return schema
        return None

    def _evolved(self, value: Any, schema: Document) -> Any:
        for keyword in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(keyword, ()):
                value = self._evolved(value, part)
        if isinstance(value, list):
            return [self._evolved(item, schema.get("items", {})) for item in value]
        if isinstance(value, dict):
            return self._evolved_object(value, schema)
        if value in schema.get(OPEN_LIST, ()):
            self.lists.add(tuple(schema[OPEN_LIST]))
            return value + SUFFIX
        return value

    def _evolved_object(self, value: dict[str, Any], schema: Document) -> dict[str, Any]:
        fields = schema.get("properties", {})
        evolved = {name: self._evolved(member, fields.get(name, {})) for name, member in value.items()}
        if not fields:
            return evolved
        self.fields += FIELD not in evolved
        return {**evolved, FIELD: {"list": ["new"]}}


def _forwarded(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in NOT_FORWARDED}


@contextlib.contextmanager
def evolving(upstream: str) -> Iterator[tuple[str, EvolvingProxy]]:
    """Run a proxy in front of a server; yield its address and the proxy."""
    with local_http.client(base_url=upstream, timeout=waiting.SECONDS) as client:
        proxy, port = EvolvingProxy(client), free_port()
        server = uvicorn.Server(uvicorn.Config(proxy, http="h11", port=port, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            waiting.eventually(lambda: server.started, "the proxy listens")
            yield f"http://127.0.0.1:{port}", proxy
        finally:
            server.should_exit = True
            thread.join(waiting.SECONDS)
