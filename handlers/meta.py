"""The document itself, for people who generate clients and tests that check this server against it."""

import functools

from app import spec

Download = tuple[bytes, int, dict[str, str]]


@functools.cache
def get_openapi_json() -> Download:
    """Answer the bundled document as JSON."""
    return spec.to_json(spec.document()).encode(), 200, {"Content-Type": "application/json"}


@functools.cache
def get_openapi_yaml() -> Download:
    """Answer the bundled document as YAML."""
    return spec.to_yaml(spec.document()).encode(), 200, {"Content-Type": "application/yaml"}
