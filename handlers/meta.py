"""The API about itself: where everything is, and the document for people who generate clients. Needs no key."""

import functools
from collections.abc import Iterator

import orjson

from app import __version__, spec
from app.address import BASE_PATH

Download = tuple[bytes, int, dict[str, str]]
REMEMBERED = 8  # addresses of one server; there are no more than the machine has


@functools.lru_cache(REMEMBERED)
def get_index(site_url: str) -> Download:
    """Answer where the reference, the document, and every list and report are."""
    api = site_url + BASE_PATH
    pages = {"reference": f"{site_url}/docs", "document": f"{api}/openapi.json"}
    resources = [{"name": path[1:], "url": api + path} for path in _resources()]
    index = {"name": "Distribu", "version": __version__, **pages, "resources": resources}
    return orjson.dumps({"data": index}), 200, {"Content-Type": "application/json"}


@functools.lru_cache(REMEMBERED)
def get_openapi_json(site_url: str) -> Download:
    """Answer the bundled document as JSON."""
    return spec.to_json(spec.served(site_url)).encode(), 200, {"Content-Type": "application/json"}


@functools.lru_cache(REMEMBERED)
def get_openapi_yaml(site_url: str) -> Download:
    """Answer the bundled document as YAML."""
    return spec.to_yaml(spec.served(site_url)).encode(), 200, {"Content-Type": "application/yaml"}


def _resources() -> Iterator[str]:
    """Yield the paths that can be read without knowing an id."""
    for each in spec.operations(spec.document()):
        if each.method == "GET" and not each.is_public and "{" not in each.path:
            yield each.path
