"""Operations as the reference describes them, read from the document into typed records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any

from app import spec
from app.api_reference import schema_text
from app.api_reference.schema_text import Member
from app.spec import Document, Operation

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Parameter(Member):
    """A parameter, and where it is sent: `path`, `query` or `header`. `example` is empty if it has none."""

    location: str
    example: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """An example of a body: JSON."""

    summary: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Body:
    """A JSON body."""

    description: str
    is_required: bool
    members: tuple[Member, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response. `codes` are its error codes; `links` have the parameters of the operations that can follow.

    `body` is None unless it is JSON.
    """

    status: int
    description: str
    headers: tuple[str, ...]
    codes: tuple[str, ...]
    links: tuple[dict[str, str], ...]
    body: Body | None


@dataclass(frozen=True, kw_only=True)
class OperationReference:
    """Everything that the reference says of an operation."""

    operation: Operation
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: tuple[Response, ...]

    @property
    def success(self) -> Response:
        """Return the first successful response: every operation has one."""
        return next(response for response in self.responses if response.status < HTTPStatus.MULTIPLE_CHOICES)

    @property
    def takes_idempotency_key(self) -> bool:
        """Return True if a sample request should have an `Idempotency-Key`."""
        return any(parameter.name == "Idempotency-Key" for parameter in self.parameters)

    def samples(self, location: str) -> dict[str, str]:
        """Return the examples of the parameters at a location: a sample request has them."""
        found = (parameter for parameter in self.parameters if parameter.location == location)
        return {parameter.name: parameter.example for parameter in found if parameter.example}


def read(document: Document) -> list[OperationReference]:
    """Return the operations of a document, in its order."""
    return [_reference(document, operation) for operation in spec.operations(document)]


def by_tag(references: Iterable[OperationReference]) -> Iterator[tuple[str, list[OperationReference]]]:
    """Yield each tag with its operations, in alphabetical order."""
    for tag, found in groupby(sorted(references, key=_tag), key=_tag):
        yield tag, list(found)


def _tag(reference: OperationReference) -> str:
    return reference.operation.tag


def _reference(document: Document, operation: Operation) -> OperationReference:
    definition = operation.definition
    return OperationReference(
        operation=operation,
        summary=definition["summary"],
        description=definition["description"].strip(),
        parameters=tuple(_parameter(document, found) for found in definition.get("parameters", [])),
        body=_body(document, definition.get("requestBody", {})),
        responses=tuple(_response(document, status, found) for status, found in definition["responses"].items()),
    )


def _parameter(document: Document, node: Document) -> Parameter:
    parameter = spec.resolve(document, node)
    schema = schema_text.flat(document, parameter["schema"])
    return Parameter(
        name=parameter["name"],
        location=parameter["in"],
        type=schema_text.type_of(document, schema),
        is_required=parameter.get("required", False),
        description=schema_text.described(document, {**schema, "description": parameter["description"]}),
        limits=schema_text.limits(schema),
        example=parameter.get("example", ""),
    )


def _body(document: Document, node: Document) -> Body | None:
    """Return the JSON body of a request or a response."""
    found = spec.resolve(document, node)
    content = found.get("content", {}).get(JSON)
    if content is None:
        return None
    examples = (spec.resolve(document, example) for example in content.get("examples", {}).values())
    return Body(
        description=found.get("description", "").strip(),
        is_required=found.get("required", False),
        members=tuple(schema_text.members(document, content["schema"])),
        examples=tuple(Example(summary=example["summary"], value=example["value"]) for example in examples),
    )


def _response(document: Document, status: str, node: Document) -> Response:
    response = spec.resolve(document, node)
    links = (spec.resolve(document, link) for link in response.get("links", {}).values())
    return Response(
        status=int(status),
        description=response["description"].strip(),
        headers=tuple(response.get("headers", {})),
        codes=tuple(response.get("x-error-codes", [])),
        links=tuple(link.get("parameters", {}) for link in links),
        body=_body(document, response),
    )
