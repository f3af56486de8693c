"""The addresses of the server: the public one, and those that it listens on.

No response repeats the `Host` header: the sender of a request chooses it, and a cached response would send the API keys
of other clients to a host of the sender's choice (docs/decisions/0010).
"""

import re
from urllib.parse import urlsplit

BASE_PATH = "/api/v1"
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listening everywhere includes this machine
PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")  # without . and .., which clients remove
AUTHORITY = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def parse_public(text: str) -> str:
    """Return a public address without a trailing slash; an empty text stays empty.

    Raises ValueError unless it is an http or https URL with a host and at most a path. The API is below that path.
    """
    if not text:
        return ""
    url = urlsplit(text.rstrip("/"))
    is_plain = url.scheme in {"http", "https"} and url.port != 0 and AUTHORITY.fullmatch(url.netloc)
    if not is_plain or not PATH.fullmatch(url.path) or "?" in text or "#" in text or url.path.endswith(BASE_PATH):
        raise ValueError
    return url.geturl()


def listening(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens on `host`."""
    return reached(EVERY_ADDRESS.get(host, host), port)


def reached(host: str, port: int) -> str:
    """Return the address of a socket. A dual-stack socket reports an IPv4 address as ::ffff:127.0.0.1."""
    if "." in host:
        host = host.removeprefix("::ffff:")
    return f"http://[{host.replace('%', '%25')}]:{port}" if ":" in host else f"http://{host}:{port}"


def prefix(address: str) -> str:
    """Return the path of an address, which a reverse proxy removes before it forwards a request."""
    return urlsplit(address).path
