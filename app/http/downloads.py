"""Downloads: public files that are the same for every client (RFC 9110, sections 8.8 and 12.5.3).

They are compressed if the client accepts it, have an entity tag for each encoding, and may be read by pages of every
origin. Responses to requests with an API key are neither compressed nor readable by pages.
"""

import functools
import gzip
import hashlib
from http import HTTPStatus

from werkzeug.http import parse_accept_header

from app.http import conditions
from app.http.flask_hooks import WireResponse
from app.http.request_state import RequestHeaders, RequestState
from app.schemas.responses import Download
from app.schemas.tags import DIGEST_BYTES

MAX_CACHED = 24  # each edition and format of the document, at eight addresses
NEGOTIATED = {"Access-Control-Allow-Origin": "*", "Vary": "Accept-Encoding"}
GZIP = {"Content-Encoding": "gzip"}


def respond(download: Download, state: RequestState) -> WireResponse:
    """Return the response with a download, or a 304 if the client has it."""
    is_gzip = accepts_gzip(state.received)
    body, tag = _encoded(download.content, is_gzip=is_gzip)
    headers = {"ETag": tag, **NEGOTIATED}
    if conditions.matches(state.arguments.get(conditions.IF_NONE_MATCH), tag):
        return WireResponse(conditions.NOT_MODIFIED, headers)
    coding = GZIP if is_gzip else {}
    return WireResponse(HTTPStatus.OK, {"Content-Type": download.media_type, **headers, **coding}, body)


def accepts_gzip(received: RequestHeaders) -> bool:
    """Return True if the client accepts a compressed response."""
    accepted = b",".join(received.all(b"accept-encoding")).decode("latin-1")
    return parse_accept_header(accepted).quality("gzip") > 0


@functools.lru_cache(2 * MAX_CACHED)
def _encoded(content: bytes, *, is_gzip: bool) -> tuple[bytes, str]:
    """Return the content as it is sent, with its entity tag: two encodings are two representations."""
    body = gzip.compress(content, mtime=0) if is_gzip else content
    return body, f'"{hashlib.blake2b(body, digest_size=DIGEST_BYTES).hexdigest()}"'
