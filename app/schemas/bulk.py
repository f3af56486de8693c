"""Bulk requests and their results as JSON (contract, section 9.3).

An outcome belongs to one item: what was written, or the error that the operation for a single item would return.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Generic, TypeAlias, TypeVar

from app.errors import NotFoundError
from app.queries.rows import Row
from app.schemas.base import DraftSchema, Json
from app.schemas.errors import (
    API_ERRORS,
    ApiDomainError,
    BulkRefusedError,
    ErrorDetail,
    InvalidItemError,
    Rejection,
    rejection,
)

DraftT = TypeVar("DraftT")
RowT = TypeVar("RowT", bound=Row)


class BulkMode(StrEnum):
    """What happens to the valid items of a request that has an invalid one."""

    ALL = "all"  # nothing is written
    EACH = "each"  # they are written


@dataclass(frozen=True, slots=True)
class BulkRequest(Generic[DraftT]):
    """The items of a bulk request, with an error in the place of each invalid one."""

    mode: BulkMode
    items: Sequence[DraftT | ApiDomainError]


@dataclass(frozen=True, slots=True)
class Written(Generic[RowT]):
    """A row that an item created or changed."""

    row: RowT
    is_new: bool


Outcome: TypeAlias = Written[RowT] | ApiDomainError


def load(body: Json, schema: DraftSchema[DraftT]) -> BulkRequest[DraftT]:
    """Return the request that a body describes. `schema` is that of an item."""
    items = list[DraftT | ApiDomainError]()
    for item in body["items"]:
        try:
            items.append(item if isinstance(item, InvalidItemError) else schema.load(item))
        except API_ERRORS as error:
            items.append(error)
    return BulkRequest(BulkMode(body.get("mode", BulkMode.ALL)), items)


def envelope(mode: BulkMode, outcomes: Sequence[Outcome[RowT]], render: Callable[[RowT], Json]) -> Json:
    """Return the response to a bulk request: one result for each item, in the order of the request."""
    results = [
        _written(index, outcome, render) if isinstance(outcome, Written) else _error(index, outcome)
        for index, outcome in enumerate(outcomes)
    ]
    succeeded = sum(isinstance(outcome, Written) for outcome in outcomes)
    return {"data": {"mode": mode, "succeeded": succeeded, "failed": len(results) - succeeded, "results": results}}


def refuse_if(mode: BulkMode, outcomes: Sequence[object]) -> None:
    """Raise BulkRefusedError if the mode is `all` and an outcome is an error. Any other outcome is a plan."""
    errors = [(index, error) for index, error in enumerate(outcomes) if isinstance(error, API_ERRORS)]
    if mode is BulkMode.EACH or not errors:
        return
    index, first = errors[0]
    found = _rejection(first)
    pointer = found.details[0].pointer if found.details else ""
    results = [
        _error(index, outcome) if isinstance(outcome, API_ERRORS) else _not_done(index)
        for index, outcome in enumerate(outcomes)
    ]
    raise BulkRefusedError(found.message, f"/items/{index}{pointer}", results)


def _error(index: int, error: ApiDomainError) -> Json:
    """Return the result of an item with an error."""
    found = _rejection(error)
    return {"index": index, "status": int(found.status), **found.content()}


def _rejection(error: ApiDomainError) -> Rejection:
    """Return what is wrong with an item. It may name several resources, so the details have those that do not exist."""
    found = rejection(error)
    if not isinstance(error, NotFoundError):
        return found
    named = [(missing.pointer, str(missing)) for missing in error.missing if missing.pointer is not None]
    return replace(found, details=[ErrorDetail(pointer=pointer, message=message) for pointer, message in named])


def _written(index: int, written: Written[RowT], render: Callable[[RowT], Json]) -> Json:
    status = HTTPStatus.CREATED if written.is_new else HTTPStatus.OK
    return {"index": index, "status": int(status), "data": render(written.row)}


def _not_done(index: int) -> Json:
    """Return the result of a valid item that was not written because of another one."""
    return {"index": index, "status": int(HTTPStatus.FAILED_DEPENDENCY)}
