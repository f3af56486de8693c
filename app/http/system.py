"""What needs no key and is not part of the API: health, metrics, and the reference page in the browser."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

from app import __version__, schema_version
from app.address import BASE_PATH
from app.db import Database
from app.http import metrics
from app.http.figures import Figures
from app.http.methods import method_not_allowed

READY_SECONDS = 3.0
ALLOW = "GET, HEAD, OPTIONS"
ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Distribu API reference</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Requests go to where the page came from: under any host name, and below any path prefix.
START = """const servers = [{url: new URL("api/v1", location.href).href}];
const sameOrigin = () => ({statePlugins: {spec: {wrapActions: {
  updateJsonSpec: (update) => (document) => update({...document, servers})
}}}});
SwaggerUIBundle({
  url: "api/v1/openapi.json", dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0,
  displayRequestDuration: true, persistAuthorization: false, validatorUrl: null, plugins: [sameOrigin]
});
"""
# Swagger UI draws with inline styles and data: images; nothing may come from another host.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class Content(NamedTuple):
    """An answer."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


Source = Callable[[], Awaitable[Content]]


class SystemMiddleware:
    """Answer a few fixed paths; pass on everything else."""

    def __init__(self, app: ASGIApp, *, database: Database, serves_metrics: bool) -> None:
        """Take the database whose health is asked for."""
        self.app = app
        self._database = database
        self._sources: dict[str, Source] = {
            "/": _redirect("docs"),
            BASE_PATH: _redirect("v1/"),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/docs": _fixed("text/html; charset=utf-8", PAGE.encode()),
            "/docs/start.js": _fixed("text/javascript; charset=utf-8", START.encode()),
        }
        if serves_metrics:
            self._sources["/metrics"] = _metrics(Figures(database))
        for name, media_type in ASSETS.items():
            self._sources[f"/docs/{name}"] = _fixed(media_type, (Path(swagger_ui_path) / name).read_bytes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET, HEAD and OPTIONS of our own paths."""
        if scope["type"] != "http" or scope["path"] not in self._sources:
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _send(send, HTTPStatus.NO_CONTENT, b"", [(b"allow", ALLOW.encode())])
        elif scope["method"] not in {"GET", "HEAD"}:
            raise method_not_allowed(ALLOW)
        else:
            content = await self._sources[scope["path"]]()
            headers = [
                (b"content-type", content.media_type.encode()),
                (b"content-length", str(len(content.body)).encode()),
                (b"content-security-policy", POLICY.encode()),
                (b"x-content-type-options", b"nosniff"),
                *content.headers,
            ]
            await _send(send, content.status, b"" if scope["method"] == "HEAD" else content.body, headers)

    async def _healthz(self) -> Content:
        return _json(HTTPStatus.OK, {"status": "ok", "version": __version__})

    async def _readyz(self) -> Content:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                if await asyncio.to_thread(schema_version.is_fit, self._database):
                    return _json(HTTPStatus.OK, {"status": "ready"})
        message = "The database is away or its schema is not the one this server needs."
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": message, "code": "not_ready"})


def _fixed(media_type: str, body: bytes) -> Source:
    async def source() -> Content:
        return Content(HTTPStatus.OK, media_type, body)

    return source


def _redirect(target: str) -> Source:
    """Lead on to a relative address, which is right below a path prefix, too."""

    async def source() -> Content:
        body = f"See {target}\n".encode()
        return Content(HTTPStatus.FOUND, "text/plain; charset=utf-8", body, ((b"location", target.encode()),))

    return source


def _metrics(figures: Figures) -> Source:
    async def source() -> Content:
        body = await asyncio.to_thread(metrics.render, figures)
        return Content(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", body)

    return source


def _json(status: int, content: dict[str, str]) -> Content:
    return Content(status, "application/json", orjson.dumps(content))


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
