"""Paths that need no key and are not part of the API: health, metrics, and the reference page."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

from app import __version__, schema_check
from app.address import BASE_PATH
from app.db import Database
from app.http import metrics
from app.http.metrics_collector import MetricsCollector
from app.http.middleware import HttpMiddleware
from app.http.routing import method_not_allowed

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
# The page sends requests to its own origin, regardless of the host name and the path prefix.
START_SCRIPT = """const servers = [{url: new URL("api/v1", location.href).href}];
const sameOrigin = () => ({statePlugins: {spec: {wrapActions: {
  updateJsonSpec: (update) => (document) => update({...document, servers})
}}}});
SwaggerUIBundle({
  url: "api/v1/openapi.json", dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0,
  displayRequestDuration: true, persistAuthorization: false, validatorUrl: null, plugins: [sameOrigin]
});
"""
# Swagger UI uses inline styles and data: images. Nothing may come from another host.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)


class Response(NamedTuple):
    """The response to GET."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


Source = Callable[[], Awaitable[Response]]


class SystemMiddleware(HttpMiddleware):
    """Serve a few fixed paths; forward everything else."""

    def __init__(self, app: ASGIApp, *, database: Database, serves_metrics: bool) -> None:
        """Initialize with the database, whose state `/readyz` and `/metrics` report."""
        super().__init__(app)
        self._database = database
        self._sources: dict[str, Source] = {
            "/": _redirect("docs"),
            BASE_PATH: _redirect("v1/"),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/docs": _fixed("text/html; charset=utf-8", PAGE.encode()),
            "/docs/start.js": _fixed("text/javascript; charset=utf-8", START_SCRIPT.encode()),
        }
        if serves_metrics:
            self._sources["/metrics"] = _metrics(MetricsCollector(database))
        for name, media_type in ASSETS.items():
            self._sources[f"/docs/{name}"] = _file(media_type, Path(swagger_ui_path) / name)

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Respond to GET, HEAD and OPTIONS of these paths. Raises ApiError 405 for other methods."""
        return self._serve(scope, send) if scope["path"] in self._sources else self.app(scope, receive, send)

    async def _serve(self, scope: Scope, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await _send(send, HTTPStatus.NO_CONTENT, b"", [(b"allow", ALLOW.encode())])
        elif scope["method"] not in {"GET", "HEAD"}:
            raise method_not_allowed(ALLOW)
        else:
            response = await self._sources[scope["path"]]()
            headers = [
                (b"content-type", response.media_type.encode()),
                (b"content-length", str(len(response.body)).encode()),
                (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
                (b"x-content-type-options", b"nosniff"),
                *response.headers,
            ]
            await _send(send, response.status, b"" if scope["method"] == "HEAD" else response.body, headers)

    async def _healthz(self) -> Response:
        return _json(HTTPStatus.OK, {"status": "ok", "version": __version__})

    async def _readyz(self) -> Response:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                if await asyncio.to_thread(schema_check.is_fit, self._database):
                    return _json(HTTPStatus.OK, {"status": "ready"})
        message = "The database is unavailable, or its schema does not match this server."
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": message, "code": "not_ready"})


def _file(media_type: str, file: Path) -> Source:
    """Serve a file that is too large to keep in memory."""

    async def source() -> Response:
        return Response(HTTPStatus.OK, media_type, await asyncio.to_thread(file.read_bytes))

    return source


def _fixed(media_type: str, body: bytes) -> Source:
    async def source() -> Response:
        return Response(HTTPStatus.OK, media_type, body)

    return source


def _redirect(target: str) -> Source:
    """Redirect to a relative URL, which is also correct below a path prefix."""

    async def source() -> Response:
        body = f"See {target}\n".encode()
        return Response(HTTPStatus.FOUND, "text/plain; charset=utf-8", body, ((b"location", target.encode()),))

    return source


def _metrics(collector: MetricsCollector) -> Source:
    async def source() -> Response:
        body = await asyncio.to_thread(metrics.render, collector)
        return Response(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", body)

    return source


def _json(status: int, content: dict[str, str]) -> Response:
    return Response(status, "application/json", orjson.dumps(content))


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
