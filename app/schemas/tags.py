"""Entity tags: the value of the header `ETag` (contract, section 9.2).

A tag is made from the version of a resource, which is everything that changes when its representation does, and not
from the representation: a request that only compares tags reads a few columns and renders nothing.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from models.base import EPOCH, MILLISECOND

DIGEST_BYTES = 12  # two versions of a resource have different tags


def entity_tag(shape: str, version: Iterable[object]) -> str:
    """Return the strong entity tag of a version: texts, whole numbers, times, Booleans and None.

    `shape` identifies the members of the representation: a version of the server that adds one changes every tag. A
    time may be given as milliseconds since 1970, and a Boolean as 0 or 1, as they are stored in SQLite.
    """
    content = repr((shape, [_plain(value) for value in version]))
    return f'"{hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).hexdigest()}"'


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value - EPOCH) // MILLISECOND
    return int(value) if isinstance(value, bool) else value
