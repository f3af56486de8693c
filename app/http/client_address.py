"""The address of the client of a request (contract, section 9.6), which the allowed networks of keys are compared with.

It is the address of the connection. If that is a trusted proxy, it is the last address in `X-Forwarded-For` that is not
one: each proxy appends the address of its client, and what comes before it may have been written by anyone.

Example: 10.0.0.0/8 is trusted. A connection from 10.0.0.1 with `X-Forwarded-For: 8.8.8.8, 192.0.2.1, 10.0.0.2` is a
request of 192.0.2.1. If nothing is trusted, it is a request of 10.0.0.1.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence

from starlette.types import Scope

from app import networks
from app.http.request_state import Headers
from app.networks import Network

HEADER = b"x-forwarded-for"
SPACES, SEPARATORS = b" \t", b" \t,"
MAX_PROXIES = 100  # between a client and this server; each costs a few microseconds
MAX_MEMBER_BYTES = 100  # an IPv6 address with zone and port has fewer than 70
MAX_CACHED_ADDRESSES = 1_000
WITH_PORT = re.compile(rb"(?:\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})")


class ClientAddresses:
    """Finds the addresses of clients, as text in its usual form."""

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        """Initialize with the networks of the proxies whose `X-Forwarded-For` is used."""
        self._has_proxies = bool(trusted_proxies)
        self._trusted_proxies = trusted_proxies
        self._is_trusted = functools.lru_cache(MAX_CACHED_ADDRESSES)(self._is_proxy)

    def find(self, scope: Scope) -> str | None:
        """Return the address of the client of a request. None, if it is unknown, is outside of every network."""
        client = scope.get("client")
        address = None if client is None else _normal_form(client[0])
        if not self._has_proxies or address is None or not self._is_trusted(address):
            return address
        for member in itertools.islice(_members_from_last(scope["headers"]), MAX_PROXIES):
            address = _read(member)
            if address is None or not self._is_trusted(address):
                return address
        return address  # no client in front of the proxies

    def _is_proxy(self, address: str) -> bool:
        parsed = networks.parse_address(address)
        return parsed is not None and networks.contain(self._trusted_proxies, parsed)


def _members_from_last(headers: Headers) -> Iterator[bytes]:
    """Yield the members of all `X-Forwarded-For` lines, which are one list, from the last to the first.

    Empty members are ignored (RFC 9110, section 5.6.1.2). The list is not split at once: it may have thousands.
    """
    for value in (value for name, value in reversed(headers) if name == HEADER):
        rest = value.rstrip(SEPARATORS)
        while rest:
            rest, _, member = rest.rpartition(b",")
            yield member.lstrip(SPACES)
            rest = rest.rstrip(SEPARATORS)


def _read(member: bytes) -> str | None:
    """Return the address in a member, which may have a port, or None if it is not an address."""
    return _parsed(member) if len(member) <= MAX_MEMBER_BYTES else None


@functools.lru_cache(MAX_CACHED_ADDRESSES)
def _parsed(member: bytes) -> str | None:
    match = WITH_PORT.fullmatch(member)
    text = match[match.lastindex or 0] if match else member
    return _normal_form(text.decode("latin-1"))


@functools.lru_cache(MAX_CACHED_ADDRESSES)
def _normal_form(text: str) -> str | None:
    address = networks.parse_address(text)
    return None if address is None else str(address)
