"""Operations about the API itself: its index and its document. They need no key."""

import functools
from collections.abc import Iterator

import orjson

from app import __version__, editions, spec
from app.address import BASE_PATH
from app.schemas.responses import Download

MAX_CACHED = 8  # addresses at which clients reach this server


@functools.lru_cache(MAX_CACHED)
def get_index(site_url: str) -> tuple[bytes, int, dict[str, str]]:
    """Return the URLs of the reference, the document, and every list and report, as body, status and headers."""
    api = site_url + BASE_PATH
    pages = {"reference": f"{site_url}/docs", "document": f"{api}/openapi.json"}
    resources = [{"name": path[1:], "url": api + path} for path in _resources()]
    index = {"name": "Distribu", "version": __version__, **pages, "resources": resources}
    return orjson.dumps({"data": index}), 200, {"Content-Type": "application/json"}


@functools.lru_cache(MAX_CACHED)
def get_openapi_json(site_url: str) -> Download:
    """Return the bundled document as JSON."""
    return Download(spec.to_json(editions.served("3.0", site_url)).encode(), "application/json")


@functools.lru_cache(MAX_CACHED)
def get_openapi31_json(site_url: str) -> Download:
    """Return the 3.1 edition of the document as JSON."""
    return Download(spec.to_json(editions.served("3.1", site_url)).encode(), "application/json")


@functools.lru_cache(MAX_CACHED)
def get_openapi_yaml(site_url: str) -> Download:
    """Return the bundled document as YAML."""
    return Download(spec.to_yaml(editions.served("3.0", site_url)).encode(), "application/yaml")


def _resources() -> Iterator[str]:
    """Yield the paths of the GET operations that need a scope and no id: the lists and reports."""
    for operation in spec.operations(spec.document()):
        if operation.method == "GET" and operation.scope is not None and "{" not in operation.path:
            yield operation.path
