"""Paths that need no key and are not part of the API: health, metrics, and the reference."""

import asyncio
import contextlib
from collections.abc import Awaitable
from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__, schema_check
from app.address import BASE_PATH
from app.db import Database
from app.http import metrics
from app.http.metrics_collector import MetricsCollector
from app.http.middleware import HttpMiddleware
from app.http.reference import pages, texts
from app.http.routing import method_not_allowed
from app.http.system_response import Response, Source

READY_SECONDS = 3.0
ALLOW = "GET, HEAD, OPTIONS"


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
            **pages.sources(),
            **texts.sources(),
        }
        if serves_metrics:
            self._sources["/metrics"] = _metrics(MetricsCollector(database))

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Respond to GET, HEAD and OPTIONS of these paths. Raises ApiError 405 for other methods."""
        return self._serve(scope, send) if scope["path"] in self._sources else self.app(scope, receive, send)

    async def _serve(self, scope: Scope, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await _send(send, HTTPStatus.NO_CONTENT, b"", [(b"allow", ALLOW.encode())])
        elif scope["method"] not in {"GET", "HEAD"}:
            raise method_not_allowed(ALLOW)
        else:
            response = await self._sources[scope["path"]](scope)
            body = b"" if scope["method"] == "HEAD" else response.body
            await _send(send, response.status, body, response.head())

    async def _healthz(self, _: Scope) -> Response:
        return _json(HTTPStatus.OK, {"status": "ok", "version": __version__})

    async def _readyz(self, _: Scope) -> Response:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                if await asyncio.to_thread(schema_check.is_fit, self._database):
                    return _json(HTTPStatus.OK, {"status": "ready"})
        message = "The database is unavailable, or its schema does not match this server."
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": message, "code": "not_ready"})


def _redirect(target: str) -> Source:
    """Redirect to a relative URL, which is also correct below a path prefix."""

    async def source(_: Scope) -> Response:
        body = f"See {target}\n".encode()
        return Response(HTTPStatus.FOUND, "text/plain; charset=utf-8", body, ((b"location", target.encode()),))

    return source


def _metrics(collector: MetricsCollector) -> Source:
    async def source(_: Scope) -> Response:
        body = await asyncio.to_thread(metrics.render, collector)
        return Response(HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", body)

    return source


def _json(status: int, content: dict[str, str]) -> Response:
    return Response(status, "application/json", orjson.dumps(content))


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
