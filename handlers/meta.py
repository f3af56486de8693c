"""Operations about the API itself: its index and its document. They need no key."""

import functools
from collections.abc import Iterator

import orjson

from app import __version__, spec
from app.address import BASE_PATH

Download = tuple[bytes, int, dict[str, str]]  # body, status, headers
MAX_CACHED = 8  # addresses at which clients reach this server


@functools.lru_cache(MAX_CACHED)
def get_index(site_url: str) -> Download:
    """Return the URLs of the reference, the document, and every list and report."""
    api = site_url + BASE_PATH
    pages = {"reference": f"{site_url}/docs", "document": f"{api}/openapi.json"}
    resources = [{"name": path[1:], "url": api + path} for path in _resources()]
    index = {"name": "Distribu", "version": __version__, **pages, "resources": resources}
    return orjson.dumps({"data": index}), 200, {"Content-Type": "application/json"}


@functools.lru_cache(MAX_CACHED)
def get_openapi_json(site_url: str) -> Download:
    """Return the bundled document as JSON."""
    return spec.to_json(spec.served(site_url)).encode(), 200, {"Content-Type": "application/json"}


@functools.lru_cache(MAX_CACHED)
def get_openapi_yaml(site_url: str) -> Download:
    """Return the bundled document as YAML."""
    return spec.to_yaml(spec.served(site_url)).encode(), 200, {"Content-Type": "application/yaml"}


def _resources() -> Iterator[str]:
    """Yield the paths of the GET operations that need a scope and no id: the lists and reports."""
    for operation in spec.operations(spec.document()):
        if operation.method == "GET" and operation.scope is not None and "{" not in operation.path:
            yield operation.path
