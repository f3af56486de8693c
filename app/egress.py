"""Where a webhook may go (contract, section 8.3): rules for URLs and addresses, and a look-up that trusts no name.

Not here: sending (`app/delivery/sender.py`). A URL is parsed when it is stored and again when it is used; a name is
looked up only when it is used, and the connection goes to the very address that was checked.
"""

import asyncio
import functools
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import idna

from app.errors import RefusalError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Lookup = Callable[[str], Awaitable[Sequence[str]]]

NOT_REACHABLE = "The destination is not allowed or cannot be reached."
NOT_PUBLIC = "The url leads to an address that is not public. Use one that the internet can reach."
WRONG_PORT = "The port of the url is not allowed. Use 443 or 80, or ask the operator of this server."
LOOKUP_SECONDS = 5.0
MAX_ANSWERS = 100
LOOKUP_THREADS = 256  # made as they are needed; names that hang must not keep others waiting
DEFAULT_PORTS = {"http": 80, "https": 443}
# Special-purpose blocks of the IANA registries and what has been special once; `is_global` of the standard library
# knows only some of them, and another set in every version.
CLOSED = tuple(
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
GLOBAL_IPV6 = IPv6Network("2000::/3")  # nothing else is assigned for use on the internet
NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")  # how the last label of a name never ends, but an odd IPv4 address does


ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")  # one that encodes nothing
AUTHORITY = re.compile(r"[^/?#]*")
# What may stand in a URL (RFC 3986, appendix A). Other letters are encoded when they are sent (RFC 3987, section 3.1).
OUTSIDE_URL = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]\x80-\U0010ffff-]")
OUTSIDE_PATH = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%\x80-\U0010ffff-]")


class DestinationError(RefusalError):
    """A URL, or what its name stands for, is not where a webhook may go.

    `cause` is for the operator alone: what exactly was refused, and which setting allows it.
    """

    code = "destination_not_allowed"
    pointer = "/url"

    def __init__(self, message: str, *, cause: str | None = None) -> None:
        """Take the message, and the cause where it says more."""
        super().__init__(message)
        self.cause = cause or message


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows beyond public addresses, and on which ports."""

    networks: tuple[Network, ...] = ()
    ports: tuple[range, ...] = (range(80, 81), range(443, 444))

    def allow(self, address: Address) -> bool:
        """Tell whether a webhook may go to an address. An IPv4 address in IPv6 clothes is judged as what it is."""
        inner = getattr(address, "ipv4_mapped", None) or address
        if any(inner in network for network in self.networks):
            return True
        if isinstance(inner, IPv6Address) and inner not in GLOBAL_IPV6:
            return False
        return not any(inner in network for network in CLOSED)

    def allow_port(self, port: int) -> bool:
        """Tell whether a webhook may use a port."""
        return any(port in each for each in self.ports)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A URL taken apart. `host` is in ASCII; `address` is set when the host is one."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def place(self) -> tuple[str, str, int]:
        """Return what a connection to here can be used for again."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Return what the Host header says (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks in CIDR notation, separated by commas; none at all is fine. Raises ValueError."""
    return tuple(ip_network(each.strip()) for each in text.split(",")) if text.strip() else ()


def parse_ports(text: str) -> tuple[range, ...]:
    """Read ports and ranges of ports like `80,8000-8100`. Raises ValueError."""
    return tuple(_port_range(each.strip()) for each in text.split(","))


def check_characters(url: str) -> None:
    """Refuse what RFC 3986 forbids. Raises DestinationError naming the character.

    For a URL that is to be stored: one that was stored before this rule is still sent to.
    """
    rest = url.partition("://")[2]
    end = len(AUTHORITY.match(rest)[0])  # type: ignore[index]  # it matches everything
    path = rest[end:].replace("#", "", 1)
    if (found := OUTSIDE_URL.search(rest[:end])) and found[0].isprintable():
        raise DestinationError(f"url must not contain '{found[0]}' before its path.")
    if (found := OUTSIDE_PATH.search(path) or ESCAPE.search(path)) and found[0].isprintable():
        hint = " without two hexadecimal digits after it" if found[0] == "%" else ""
        raise DestinationError(f"url must not contain '{found[0]}'{hint}. Write it as %{ord(found[0]):02X}.")


def parse(url: str, rules: Rules) -> Target:
    """Take a URL apart. Raises DestinationError naming the rule that it breaks. No name is looked up."""
    if refused := next((each for each in url if not each.isprintable() or each in " \\"), None):
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
    if not rules.allow_port(port):
        raise DestinationError(WRONG_PORT, cause=f"port {port} is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS")
    host, address = _host(parts.hostname or "", is_bracketed=parts.netloc.startswith("["))
    if address is not None and not rules.allow(address):
        raise DestinationError(NOT_PUBLIC, cause=_not_public(address))
    path = _path(parts.path or "/") + (f"?{_path(parts.query)}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, address=address)


async def resolve(target: Target, rules: Rules, lookup: Lookup) -> Sequence[Address]:
    """Return the addresses of a target, looked up once and all of them checked.

    Raises DestinationError when there is none, when any is not allowed, and after LOOKUP_SECONDS.
    """
    if target.address is not None:
        return [target.address]
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            answers = [ip_address(each) for each in await lookup(target.host)]
    except (OSError, ValueError, TimeoutError) as error:
        cause = f"{target.host} could not be looked up: {str(error) or type(error).__name__}"
        raise DestinationError(NOT_REACHABLE, cause=cause) from error
    if not 1 <= len(answers) <= MAX_ANSWERS:
        raise DestinationError(NOT_REACHABLE, cause=f"{target.host} has {len(answers)} addresses")
    for address in answers:
        if not rules.allow(address):
            raise DestinationError(NOT_REACHABLE, cause=f"{target.host} leads to {_not_public(address)}")
    return answers


async def system_lookup(host: str) -> Sequence[str]:
    """Ask the system's resolver, in threads of our own: one that hangs holds up no other work of the process."""
    ask = functools.partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    answers = await asyncio.get_running_loop().run_in_executor(_threads(), ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")


def _not_public(address: Address) -> str:
    return f"{address}, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"


def _host(text: str, *, is_bracketed: bool) -> tuple[str, Address | None]:
    if is_bracketed:
        try:
            if "%" in text:
                raise DestinationError("url must not contain a zone.")
            address = IPv6Address(text)
        except ValueError as error:
            raise DestinationError("The brackets of the url hold no IPv6 address.") from error
        return str(address), address
    name = _ascii(text)
    if name == "localhost" or name.endswith(".localhost"):
        return name, IPv4Address("127.0.0.1")
    if NUMERIC.search(name.rpartition(".")[2]):
        try:
            literal = IPv4Address(text)  # as it was written: other digits than 0-9 are none of an address
        except ValueError as error:
            raise DestinationError("The host of the url is a number, but no IPv4 address like 192.0.2.1.") from error
        return str(literal), literal
    return name, None


def _ascii(text: str) -> str:
    """Return a name as the DNS knows it (RFC 5891)."""
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise DestinationError("The host of the url is not a valid name.") from error
    if not NAME.fullmatch(name.lower()):
        raise DestinationError("The host of the url is not a valid name: letters, digits, hyphens, and single dots.")
    return name.lower()


def _path(text: str) -> str:
    """Return text as it may stand in a request line."""
    return "".join(each if each.isascii() else "".join(f"%{byte:02X}" for byte in each.encode()) for each in text)


def _port_range(text: str) -> range:
    first, *rest = text.split("-", 1)
    low, high = _port(first), _port(*(rest or [first]))
    if low > high:
        raise ValueError(text)
    return range(low, high + 1)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise ValueError(text)
    return int(text)
