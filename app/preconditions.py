"""What must hold of a resource before it is written: `If-Match` and `If-None-Match` (contract, section 9.2).

A service locks the row, finds that it exists, calls `ctx.precondition.check`, and then applies the business rules. Not
in this module: the syntax of the headers (`app/http/conditions.py`), and tags (`app/schemas/tags.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app.errors import DomainError

ANY = frozenset({"*"})  # instead of tags: whichever tag the resource has
IF_MATCH, IF_NONE_MATCH = "/header/If-Match", "/header/If-None-Match"
T = TypeVar("T")


class PreconditionFailedError(DomainError):
    """The resource is not in the state that the request requires. Nothing was changed."""

    code = "precondition_failed"

    def __init__(self, pointer: str, message: str) -> None:
        """Initialize with the header that requires the state, and the whole message."""
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, kw_only=True, slots=True)
class Precondition:
    """The tags of which the resource must have one, None if any state is accepted; and whether it must not exist."""

    tags: frozenset[str] | None = None
    must_be_new: bool = False

    def check(self, existing: T | None, tag: Callable[[T], str]) -> None:
        """Raise PreconditionFailedError unless `existing`, which is locked or None if there is none, may be written.

        `tag` returns its entity tag, and is called only if it is needed.
        """
        if self.tags is not None:
            self._check_tags(self.tags, existing, tag)
        if self.must_be_new and existing is not None:
            message = (
                "The resource exists already, and If-None-Match: * only creates. Leave the header out to change it."
            )
            raise PreconditionFailedError(IF_NONE_MATCH, message)

    def _check_tags(self, tags: frozenset[str], existing: T | None, tag: Callable[[T], str]) -> None:
        if existing is None:
            message = "The resource does not exist, and If-Match only changes. Leave the header out to create it."
            raise PreconditionFailedError(IF_MATCH, message)
        if tags != ANY and tag(existing) not in tags:
            message = "The resource has changed: If-Match does not have its current tag. Read it and decide again."
            raise PreconditionFailedError(IF_MATCH, message)


NO_PRECONDITION = Precondition()
