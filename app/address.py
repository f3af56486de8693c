"""Where clients find the server: its public address, and the addresses that it listens on.

A document or page for a client never repeats the header `Host`: the sender chooses it, and a copy in a cache would send
other clients' keys to a host of the sender's choice (docs/decisions/0010).
"""

import re
from urllib.parse import urlsplit

BASE_PATH = "/api/v1"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listening everywhere includes this machine
SEGMENTS = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")  # without . and ..: clients take them away
AUTHORITY = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def parse_public(text: str) -> str:
    """Return a public address without a slash at its end, an empty one for an empty one.

    Raises ValueError unless it is http or https, a host and perhaps a path, below which the API lies.
    """
    if not text:
        return ""
    url = urlsplit(text.rstrip("/"))
    is_plain = url.scheme in {"http", "https"} and url.port != 0 and AUTHORITY.fullmatch(url.netloc)
    if not is_plain or not SEGMENTS.fullmatch(url.path) or "?" in text or "#" in text or url.path.endswith(BASE_PATH):
        raise ValueError
    return url.geturl()


def listening(host: str, port: int) -> str:
    """Return the address at which this machine itself reaches a server that listens on `host`."""
    return reached(ANYWHERE.get(host, host), port)


def reached(host: str, port: int) -> str:
    """Return the address of a socket; one that takes IPv6 and IPv4 writes the latter as ::ffff:127.0.0.1."""
    if "." in host:
        host = host.removeprefix("::ffff:")
    return f"http://[{host.replace('%', '%25')}]:{port}" if ":" in host else f"http://{host}:{port}"


def prefix(address: str) -> str:
    """Return the path of an address: what a reverse proxy takes away before it passes a request on."""
    return urlsplit(address).path
