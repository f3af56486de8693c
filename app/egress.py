"""Where webhooks may connect to: the policy for URLs and addresses, and name resolution (contract, section 8.3).

Rules of this file:

1. A URL is parsed when it is stored, and again before each delivery, because the policy may have changed.
2. A name is resolved only for a delivery. If one of its addresses is not allowed, none of them is used.
3. A connection goes to an address that was checked, never to a name: a second lookup could return another address.
4. An error message never says what listens at an address. `DestinationError.cause` does, for the operator's log.

Example: `https://hooks.example/a` becomes a `Target` with port 443. If the name resolves to 8.8.8.8, the sender
(`app/delivery/sender.py`) connects to that address and checks the certificate for `hooks.example`. If it resolves to
8.8.8.8 and 10.0.0.1, nothing is sent.
"""

import asyncio
import functools
import re
import socket
import string
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urlsplit

import idna

from app.errors import RefusalError
from app.networks import Address, Network

Origin = tuple[str, str, int]  # scheme, host, port
Lookup = Callable[[str], Awaitable[Sequence[str]]]

NOT_REACHABLE = "The destination is not allowed or cannot be reached."
NOT_PUBLIC = "url points to an address that is not public. Use an address that is reachable from the internet."
WRONG_PORT = "The port of the url is not allowed. Use 443 or 80, or ask the operator of this server."
LOOKUP_SECONDS = 5.0
MAX_ADDRESSES = 100
LOOKUP_THREADS = 256  # started on demand; a lookup that hangs must not delay the others
DEFAULT_PORTS = {"http": 80, "https": 443}
# The special-purpose blocks of the IANA registries, current and historic. `is_global` of the standard library covers
# only some of them, and a different set in each version.
SPECIAL_NETWORKS = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
GLOBAL_IPV6 = IPv6Network("2000::/3")  # the only block assigned for the public internet
NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")  # the last label of an IPv4 address in any notation, never of a name
INVALID_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
AUTHORITY = re.compile(r"[^/?#]*")
# Not allowed in a URL (RFC 3986, appendix A). Non-ASCII letters are encoded when they are sent (RFC 3987, section 3.1).
OUTSIDE_URL = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]\x80-\U0010ffff-]")
OUTSIDE_PATH = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%\x80-\U0010ffff-]")


class DestinationError(RefusalError):
    """The URL of a webhook is not allowed. `cause` is for the operator's log and names the setting to change."""

    code = "destination_not_allowed"
    pointer = "/url"

    def __init__(self, message: str, *, cause: str | None = None) -> None:
        """Initialize with the message, and the cause if it is more specific."""
        super().__init__(message)
        self.cause = cause or message


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The ports that webhooks may use, and the networks that the operator allows in addition to public addresses."""

    networks: tuple[Network, ...] = ()
    ports: tuple[range, ...] = (range(80, 81), range(443, 444))

    def allows(self, address: Address) -> bool:
        """Return True if a webhook may connect to `address`. An IPv4-mapped IPv6 address counts as the IPv4 address."""
        inner = getattr(address, "ipv4_mapped", None) or address
        if any(inner in network for network in self.networks):
            return True
        if isinstance(inner, IPv6Address) and inner not in GLOBAL_IPV6:
            return False
        return not any(inner in network for network in SPECIAL_NETWORKS)

    def allows_port(self, port: int) -> bool:
        """Return True if a webhook may use `port`."""
        return any(port in ports for ports in self.ports)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A parsed URL. `host` is in ASCII; `address` is set when the host is an IP address."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def origin(self) -> Origin:
        """Return the key under which connections are kept for reuse."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Return the value of the Host header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_ports(text: str) -> tuple[range, ...]:
    """Parse ports and port ranges such as `80,8000-8100`. Raises ValueError."""
    return tuple(_port_range(item.strip()) for item in text.split(","))


def check_characters(url: str) -> None:
    """Check that a URL has only the characters of RFC 3986. Raises DestinationError naming the first other one.

    This is for URLs that are about to be stored. Events are still delivered to URLs that were stored before this rule.
    """
    rest = url.partition("://")[2]
    end = len(AUTHORITY.match(rest)[0])  # type: ignore[index]  # always matches
    path = rest[end:].replace("#", "", 1)
    if (found := OUTSIDE_URL.search(rest[:end])) and found[0].isprintable():
        raise DestinationError(f"url must not contain '{found[0]}' before its path.")
    if (found := OUTSIDE_PATH.search(path) or INVALID_ESCAPE.search(path)) and found[0].isprintable():
        hint = " without two hexadecimal digits after it" if found[0] == "%" else ""
        raise DestinationError(f"url must not contain '{found[0]}'{hint}. Write it as %{ord(found[0]):02X}.")


def parse(url: str, policy: EgressPolicy) -> Target:
    """Parse a URL without resolving its name. Raises DestinationError naming the rule that it breaks."""
    if refused := next((char for char in url if not char.isprintable() or char in " \\"), None):
        rule = "url must not contain spaces, backslashes or control characters."
        raise DestinationError(f"{rule} Remove U+{ord(refused):04X}.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DestinationError("url is not a valid URL: check its brackets and its port.") from error
    if parts.scheme not in DEFAULT_PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise DestinationError("url must begin with https:// or http://")
    if "@" in parts.netloc:
        raise DestinationError("url must not contain a user name or a password.")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if not policy.allows_port(port):
        raise DestinationError(WRONG_PORT, cause=f"port {port} is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS")
    host, address = _host(parts.hostname or "", is_bracketed=parts.netloc.startswith("["))
    if address is not None and not policy.allows(address):
        raise DestinationError(NOT_PUBLIC, cause=_not_public(address))
    path = _path(parts.path or "/") + (f"?{_path(parts.query)}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, address=address)


async def resolve(target: Target, policy: EgressPolicy, lookup: Lookup) -> Sequence[Address]:
    """Return the addresses of a target after checking all of them.

    Raises DestinationError if there are none, if one is not allowed, or after LOOKUP_SECONDS.
    """
    if target.address is not None:
        return [target.address]
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            addresses = [ip_address(text) for text in await lookup(target.host)]
    except (OSError, ValueError, TimeoutError) as error:
        cause = f"{target.host} could not be resolved: {str(error) or type(error).__name__}"
        raise DestinationError(NOT_REACHABLE, cause=cause) from error
    if not 1 <= len(addresses) <= MAX_ADDRESSES:
        raise DestinationError(NOT_REACHABLE, cause=f"{target.host} has {len(addresses)} addresses")
    for address in addresses:
        if not policy.allows(address):
            raise DestinationError(NOT_REACHABLE, cause=f"{target.host} resolves to {_not_public(address)}")
    return addresses


async def system_lookup(host: str) -> Sequence[str]:
    """Ask the system's resolver, in dedicated threads: a lookup that hangs does not delay other work of the process."""
    query = functools.partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    results = await asyncio.get_running_loop().run_in_executor(_threads(), query)
    return list(dict.fromkeys(str(address[0]) for *_, address in results))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")


def _not_public(address: Address) -> str:
    return f"{address}, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"


def _host(text: str, *, is_bracketed: bool) -> tuple[str, Address | None]:
    if is_bracketed:
        try:
            if "%" in text:
                raise DestinationError("url must not contain an IPv6 zone.")
            address = IPv6Address(text)
        except ValueError as error:
            raise DestinationError("The text in the brackets of the url is not an IPv6 address.") from error
        return str(address), address
    name = _ascii(text)
    if name == "localhost" or name.endswith(".localhost"):
        return name, IPv4Address("127.0.0.1")
    if NUMERIC.search(name.rpartition(".")[2]):
        try:
            literal = IPv4Address(text)  # as written: digits other than 0-9 are not part of an address
        except ValueError as error:
            raise DestinationError("The host of the url is numeric but not an IPv4 address like 192.0.2.1.") from error
        return str(literal), literal
    return name, None


def _ascii(text: str) -> str:
    """Return a name in the form that the DNS uses (RFC 5891)."""
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise DestinationError("The host of the url is not a valid name.") from error
    if not NAME.fullmatch(name.lower()):
        raise DestinationError("The host of the url is not a valid name: letters, digits, hyphens, and single dots.")
    return name.lower()


def _path(text: str) -> str:
    """Return text with every non-ASCII character percent-encoded."""
    return quote(text, safe=string.printable)


def _port_range(text: str) -> range:
    match = re.fullmatch(r"([0-9]+)(?:-([0-9]+))?", text)
    if match is None:
        raise ValueError(text)
    low, high = int(match[1]), int(match[2] or match[1])
    if not 1 <= low <= high <= 65_535:
        raise ValueError(text)
    return range(low, high + 1)
