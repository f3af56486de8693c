"""Errors as JSON: the status, code and details of an error of the domain (contract, section 3).

An error has the same content whether it is the response to a request or the result of one item of a bulk request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from app.errors import DomainError, InvalidParameterError, NotFoundError, RefusalError
from app.preconditions import PreconditionFailedError
from app.schemas.base import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorDetail:
    """An entry of `details`: a JSON pointer into the request, and what is wrong there.

    In a refusal it has a code; `data` holds further members by their JSON names.
    """

    pointer: str
    message: str
    code: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def content(self) -> Json:
        """Return the members of the entry."""
        code = {} if self.code is None else {"code": self.code}
        return {"pointer": self.pointer, **code, "message": self.message, **self.data}


class InvalidItemError(DomainError):
    """An item of a bulk request that violates the document. It is not raised: it takes the place of the item.

    The pointers of its details start at the item.
    """

    code = "validation_failed"

    def __init__(self, item: object, details: Sequence[ErrorDetail]) -> None:
        """Initialize with the item as the client sent it, and what is wrong with it."""
        super().__init__(details[0].message)
        self.item = item
        self.details = details


class BulkRefusedError(RefusalError):
    """An item of a bulk request with the mode `all` has an error, so that nothing was written."""

    code = "bulk_refused"

    def __init__(self, message: str, pointer: str, results: Sequence[Json]) -> None:
        """Initialize with the message and the location of the first error, and the results of all items."""
        super().__init__(message, pointer=pointer)
        self.results = results


# Every other error of the domain occurs on the command line only.
API_ERRORS = (NotFoundError, InvalidParameterError, PreconditionFailedError, RefusalError, InvalidItemError)
ApiDomainError = NotFoundError | InvalidParameterError | PreconditionFailedError | RefusalError | InvalidItemError


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """The status and the content of the response to an error. `results` are those of the items of a bulk request."""

    status: HTTPStatus
    code: str
    message: str
    details: Sequence[ErrorDetail] = ()
    results: Sequence[Json] = ()

    def content(self) -> Json:
        """Return the members of the body."""
        details = {"details": [detail.content() for detail in self.details]} if self.details else {}
        results = {"results": self.results} if self.results else {}
        return {"error": self.message, "code": self.code, **details, **results}


def rejection(error: ApiDomainError) -> Rejection:
    """Return the response to an error of the domain."""
    message = str(error)
    if isinstance(error, NotFoundError):
        return Rejection(status=HTTPStatus.NOT_FOUND, code=error.code, message=message)
    if isinstance(error, RefusalError):
        return _refusal(error)
    if isinstance(error, PreconditionFailedError):
        details = [ErrorDetail(pointer=error.pointer, code=error.code, message=message)]
        return Rejection(status=HTTPStatus.PRECONDITION_FAILED, code=error.code, message=message, details=details)
    if isinstance(error, InvalidItemError):
        return invalid(error.details)
    return invalid([ErrorDetail(pointer=found.pointer, message=str(found)) for found in error.violations])


def invalid(details: Sequence[ErrorDetail]) -> Rejection:
    """Return the 400 for a violation of the document: the first error as the message, all of them in `details`."""
    first = details[0]
    code = first.code or InvalidItemError.code
    return Rejection(status=HTTPStatus.BAD_REQUEST, code=code, message=first.message, details=details)


def _refusal(error: RefusalError) -> Rejection:
    """Return the 422 for a violated business rule, with every reason to refuse the same request."""
    return Rejection(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        code=error.code,
        message=str(error),
        details=[detail(refusal) for refusal in error.refusals],
        results=error.results if isinstance(error, BulkRefusedError) else (),
    )


def detail(refusal: RefusalError) -> ErrorDetail:
    """Return the entry of `details` for a violated business rule."""
    return ErrorDetail(pointer=refusal.pointer, code=refusal.code, message=str(refusal), data=refusal.data)
