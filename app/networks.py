"""IP addresses and networks, as text and as objects (contract, sections 8.3, 9.6 and 11).

An IPv4-mapped IPv6 address such as ::ffff:192.0.2.1 is the IPv4 address, and a network of such addresses is the IPv4
network. The zone of an IPv6 address is ignored: it has a meaning on one machine only.
"""

import functools
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CIDR = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
MAPPED_BITS = 96  # of the prefix ::ffff:0:0/96
MAX_CACHED_NETWORKS = 10_000
EXPECTED = "must be a network in CIDR notation, such as 203.0.113.0/24"


def parse_address(text: str) -> Address | None:
    """Return the address that `text` stands for, or None."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))  # without the zone


@functools.lru_cache(MAX_CACHED_NETWORKS)
def parse_cidr(text: str) -> Network:
    """Return the network of `text` in CIDR notation. Raises ValueError, also if a bit after the prefix is set."""
    if not CIDR.fullmatch(text):
        raise ValueError(text)
    return _unmapped(ip_network(text))


def violation(text: str) -> str | None:
    """Return the rule that a network in CIDR notation violates, to follow its name in a message, or None."""
    try:
        network = _unmapped(ip_network(text, strict=False)) if CIDR.fullmatch(text) else None
    except ValueError:
        network = None
    if network is None:
        return EXPECTED
    try:
        parse_cidr(text)
    except ValueError:
        return f"must not have host bits: use {network}"
    return None


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return networks and single addresses, separated by commas; the text may be empty. Raises ValueError."""
    return tuple(_unmapped(ip_network(network.strip())) for network in text.split(",")) if text.strip() else ()


def contain(networks: Iterable[Network], address: Address) -> bool:
    """Return True if one of the networks contains `address`."""
    return any(address in network for network in networks)


def cover(networks: Iterable[Network], other: Network) -> bool:
    """Return True if some of the networks, together, contain every address of `other`."""
    same_version = [network for network in networks if network.version == other.version]
    return any(other.subnet_of(network) for network in collapse_addresses(same_version))  # type: ignore[type-var, arg-type]  # all of one version


def _unmapped(network: Network) -> Network:
    address = getattr(network.network_address, "ipv4_mapped", None)
    if address is None or network.prefixlen < MAPPED_BITS:
        return network
    return IPv4Network((address, network.prefixlen - MAPPED_BITS))
