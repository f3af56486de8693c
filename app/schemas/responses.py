"""The responses of operations that create or queue something, made from the response 200 with the resource.

And downloads, which are not JSON of a resource.
"""

from dataclasses import dataclass

from app.address import BASE_PATH
from app.schemas.base import StatusResponse


@dataclass(frozen=True, slots=True)
class Download:
    """A public file, which is the same for every client."""

    content: bytes
    media_type: str


def created(resource: StatusResponse, path: str) -> StatusResponse:
    """Return the response 201 to a request that created a resource, which is at `path`."""
    body, _, headers = resource
    return body, 201, {**headers, "Location": BASE_PATH + path}


def accepted(response: StatusResponse) -> StatusResponse:
    """Return the response 202 to a request that queued something."""
    body, _, headers = response
    return body, 202, headers
