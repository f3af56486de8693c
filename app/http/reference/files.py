"""Responses with files and rendered texts that browsers keep: compressed, with an entity tag for each encoding."""

import asyncio
import functools
import gzip
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from starlette.types import Scope

from app.http import conditions, downloads
from app.http.request_state import state_of
from app.http.system_response import Response, Source

DIGEST_BYTES = 8
COMPRESSED = ".gz"
FOREVER = "public, max-age=31536000, immutable"  # the URL changes with the content
REVALIDATED = "no-cache"  # kept, and used again after asking whether it has changed

Read = Callable[[bool], bytes]  # the content, compressed or not
Render = Callable[[], str]


def digest(*contents: bytes) -> str:
    """Return the digest that identifies contents."""
    return hashlib.blake2b(b"".join(contents), digest_size=DIGEST_BYTES).hexdigest()


def stored(file: Path) -> Read:
    """Read a file when it is requested: it is too large to keep in memory. What is compressed on disk is sent so."""

    def read(is_gzip: bool) -> bytes:  # noqa: FBT001 - the only parameter
        content = file.read_bytes()
        if file.suffix == COMPRESSED:
            return content if is_gzip else gzip.decompress(content)
        return gzip.compress(content, mtime=0) if is_gzip else content

    return read


def rendered(render: Render) -> Read:
    """Render a text when it is requested for the first time."""
    plain = functools.cache(lambda: render().encode())
    compressed = functools.cache(lambda: gzip.compress(plain(), mtime=0))
    return lambda is_gzip: compressed() if is_gzip else plain()


def source(read: Read, media_type: str, *, lifetime: str, policy: str) -> Source:
    """Return what responds with a content, or with a 304 if the client has it."""

    async def respond(scope: Scope) -> Response:
        received = state_of(scope).received
        is_gzip = downloads.accepts_gzip(received)
        body = await asyncio.to_thread(read, is_gzip)
        tag = f'"{digest(body)}"'
        headers = ((b"etag", tag.encode()), (b"cache-control", lifetime.encode()), (b"vary", b"Accept-Encoding"))
        known = b",".join(received.all(b"if-none-match")).decode("latin-1")
        if conditions.matches(known, tag):
            return Response(HTTPStatus.NOT_MODIFIED, "", b"", headers, policy)
        coding = ((b"content-encoding", b"gzip"),) if is_gzip else ()
        return Response(HTTPStatus.OK, media_type, body, (*headers, *coding), policy)

    return respond
