"""A receiver of webhooks: a real HTTP server that records requests, and misbehaves at some paths."""

import asyncio
import contextlib
import gzip
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from tests.support import waiting

BOMB = gzip.compress(b"0" * 50_000_000)

Writer = asyncio.StreamWriter


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


async def _hang(_writer: Writer) -> None:
    await asyncio.sleep(3600)


async def _drip(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def _endless(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _bomb(writer: Writer) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    writer.write(head.encode() + BOMB)
    await writer.drain()


async def _header(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


MISBEHAVIOUR: dict[str, Callable[[Writer], Awaitable[None]]] = {
    "/hang": _hang,
    "/drip": _drip,
    "/endless": _endless,
    "/bomb": _bomb,
    "/header": _header,
}


class Receiver:
    """Responds with 200, or with the statuses and headers that `responses` has for a path: the last one repeatedly.

    `bodies` has the body of a path if it is not `ok`. `leftovers` has bytes that are sent after the response, and after
    how many seconds.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.received: list[Received] = []
        self.responses: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.bodies: dict[str, str] = {}
        self.leftovers: dict[str, tuple[float, bytes]] = {}
        self.delay = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[Any]] = set()

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def on(self, path: str) -> list[Received]:
        """Return the requests to a path."""
        return [request for request in list(self.received) if request.path == path]

    def wait(self, path: str, count: int = 1) -> list[Received]:
        """Return the requests to a path once there are `count`. Raises AssertionError if they do not arrive."""
        waiting.eventually(lambda: len(self.on(path)) >= count, f"{count} requests arrive at {path}")
        return self.on(path)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(waiting.SECONDS)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(waiting.SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(waiting.SECONDS)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000, ssl=self._tls)

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                async for request in _requests(reader):
                    self.received.append(request)
                    await self._respond(request.path, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _respond(self, path: str, writer: Writer) -> None:
        if path in MISBEHAVIOUR:
            await MISBEHAVIOUR[path](writer)
            return
        queue = self.responses.get(path, [(200, {})])
        status, headers = queue.pop(0) if len(queue) > 1 else queue[0]
        body = self.bodies.get(path, "ok")
        await asyncio.sleep(self.delay)
        lines = [
            f"HTTP/1.1 {status} Status",
            f"Content-Length: {len(body.encode())}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        seconds, leftover = self.leftovers.get(path, (0.0, b""))
        writer.write("\r\n".join([*lines, "", body]).encode() + (leftover if not seconds else b""))
        if seconds:
            await asyncio.sleep(seconds)
            writer.write(leftover)
        await writer.drain()


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[Received]:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        yield Received(path=first.split()[1], headers=headers, body=body, at=time.monotonic())
