"""Validate requests against the document: `Accept`, then the body, then the parameters.

Validators are compiled once for each operation. This replaces Connexion's own validation, which rebuilds its validators
for every request, stops at the first error and accepts several kinds of malformed input (docs/decisions/0002).
"""

import functools
import re
from collections.abc import Awaitable, Collection, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from app import spec
from app.http.body import MAX_BYTES, MAX_DIGITS, has_body, read_json
from app.http.body_validator import BodyValidator
from app.http.errors import ApiError, pointer, truncated, validation_failed
from app.http.middleware import HttpMiddleware
from app.http.request_state import RequestState, state_of
from app.http.schema_validator import SchemaValidator
from app.schemas.errors import ErrorDetail
from app.spec import Document, Operation

WHOLE_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)
ZERO_QUALITY = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
EVERYTHING = [b"*/*"]
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation, and the name of the handler's argument."""

    name: str
    kind: str  # query, path or header
    argument: str
    schema: Document
    is_list: bool  # several lines of the header are one list (RFC 9110, section 5.3)
    header: bytes  # the name in lower case

    def given(self, scope: Scope, state: RequestState) -> list[str]:
        """Return every value that the request has for the parameter."""
        if self.kind == "query":
            return state.query.get(self.name, [])
        if self.kind == "path":
            return [scope["path_params"][self.name]]
        values = [value.decode("latin-1").strip(" \t") for value in state.received.all(self.header)]  # RFC 9110, 5.5
        return [", ".join(values)] if self.is_list and values else values


class RequestValidator:
    """The rules of the document for the requests of one operation."""

    def __init__(self, operation: Operation, document: Document) -> None:
        """Compile the schemas of the parameters and of the body."""
        definition = operation.definition
        parameters = [spec.dereference(document, parameter) for parameter in definition.get("parameters", [])]
        self._parameters = [_parameter(parameter) for parameter in parameters]
        self._query_names = [parameter.name for parameter in self._parameters if parameter.kind == "query"]
        self._parameter_validators = parameter_validators(parameters)
        self._body_validator = _body_validator(definition, document)
        request_body = spec.resolve(document, definition.get("requestBody", {}))
        self._requires_body = request_body.get("required", False)
        self._max_bytes = request_body.get("x-max-bytes", MAX_BYTES)
        self._media_types = _media_types(definition, document)

    @property
    def has_body(self) -> bool:
        """Whether the operation has a body."""
        return self._body_validator is not None

    def validate_parameters(self, scope: Scope, state: RequestState) -> None:
        """Store the arguments of a handler without a body in `state`. Raises ApiError 400 or 406."""
        self._check_accept(state)
        if details := self._read_parameters(scope, state):
            raise validation_failed(details)

    async def validate(self, scope: Scope, receive: Receive, state: RequestState) -> None:
        """Store the arguments of a handler with a body in `state`. Raises ApiError 400, 406, 408, 413 or 415."""
        assert self._body_validator is not None
        self._check_accept(state)
        body = await self._read_body(scope, receive, self._body_validator.item_lists)
        details = self._read_parameters(scope, state)
        state.arguments["body"], errors = await self._body_validator.validate(body)
        if details + errors:
            raise validation_failed(details + errors)

    async def _read_body(self, scope: Scope, receive: Receive, item_lists: Collection[str]) -> Any:
        """Return the body, or an empty object if an optional body is absent."""
        if not self._requires_body and not has_body(state_of(scope).received):
            return {}
        return await read_json(scope, receive, self._max_bytes, item_lists)

    def _read_parameters(self, scope: Scope, state: RequestState) -> list[ErrorDetail]:
        values: dict[str, Any] = {}
        details = []
        for parameter in self._parameters:
            name, kind, schema = parameter.name, parameter.kind, parameter.schema
            given = parameter.given(scope, state)
            if len(given) > 1:
                details.append(ErrorDetail(pointer=f"/{kind}/{name}", message=f"{name} must be given only once"))
            if given:
                values[name] = _convert(given[0], schema.get("type"))
            elif "default" in schema:
                values[name] = schema["default"]
            if name in values:
                state.arguments[parameter.argument] = values[name]
        unknown = [self._unknown(name) for name in state.query if name not in self._query_names]
        errors = [error for validator in self._parameter_validators for error in validator.errors(values)]
        return details + errors + unknown

    def _unknown(self, name: str) -> ErrorDetail:
        message = f"{truncated(name) or 'An empty name'} is not a known parameter"
        return ErrorDetail(pointer=pointer(("query", name)), message=message, data={"known": self._query_names})

    def _check_accept(self, state: RequestState) -> None:
        given = state.received.all(b"accept")
        if given and given != EVERYTHING and not _accepts_any(b",".join(given), self._media_types):
            message = f"Not acceptable. This resource is available as: {', '.join(self._media_types)}."
            raise ApiError(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", message)


class ValidationMiddleware(HttpMiddleware):
    """Forward valid requests, with the handler's arguments in the RequestState."""

    def __init__(self, app: ASGIApp, *, operations: Iterable[Operation], document: Document) -> None:
        """Prepare every operation."""
        super().__init__(app)
        self._validators = {operation.id: RequestValidator(operation, document) for operation in operations}

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward the request. Raises ApiError if it violates the document."""
        state = state_of(scope)
        assert state.operation is not None  # RoutingMiddleware runs first
        validator = self._validators[state.operation.id]
        if validator.has_body:
            return self._validate(validator, scope, receive, send)
        validator.validate_parameters(scope, state)
        return self.app(scope, receive, send)

    async def _validate(self, validator: RequestValidator, scope: Scope, receive: Receive, send: Send) -> None:
        await validator.validate(scope, receive, state_of(scope))
        await self.app(scope, receive, send)


def _parameter(definition: Document) -> Parameter:
    name = definition["name"]
    is_list = definition.get("x-list", False)
    return Parameter(
        name, definition["in"], spec.snake_case(name), definition["schema"], is_list, name.lower().encode()
    )


def parameter_validators(parameters: list[Document]) -> list[SchemaValidator]:
    """Return what validates all parameters as one object: path and query, then the headers.

    Operations with the same headers share a validator: the pattern of `Idempotency-Key` takes 0.2 MiB.
    """
    headers = [parameter for parameter in parameters if parameter["in"] == "header"]
    others = [parameter for parameter in parameters if parameter["in"] != "header"]
    shared = [_shared_validator(orjson.dumps(headers))] if headers else []
    return [_parameter_validator(others), *shared] if others else shared


@functools.cache
def _shared_validator(parameters: bytes) -> SchemaValidator:
    return _parameter_validator(orjson.loads(parameters))


def _parameter_validator(parameters: list[Document]) -> SchemaValidator:
    properties = {parameter["name"]: _text_schema(parameter["schema"]) for parameter in parameters}
    required = [parameter["name"] for parameter in parameters if parameter.get("required")]
    schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    return SchemaValidator(schema, parameter_kinds={parameter["name"]: parameter["in"] for parameter in parameters})


def _text_schema(schema: Document) -> Document:
    """Mark a parameter's schema: all values arrive as text, so 'abc' for a number is not a wrong JSON type."""
    return {**schema, "x-text": True}


def _body_validator(definition: Document, document: Document) -> BodyValidator | None:
    if "requestBody" not in definition:
        return None
    body = spec.resolve(document, definition["requestBody"])
    return BodyValidator(spec.dereference(document, body["content"]["application/json"]["schema"]))


def _media_types(definition: Document, document: Document) -> list[str]:
    """Return the media types of the operation's successful responses."""
    successes = [
        spec.resolve(document, response) for status, response in definition["responses"].items() if status[0] == "2"
    ]
    return sorted({media_type for response in successes for media_type in response.get("content", {})})


def _convert(text: str, expected_type: str | None) -> Any:
    """Convert a parameter to its type. Text that cannot be converted stays text, which its schema rejects."""
    if expected_type == "integer" and WHOLE_NUMBER.fullmatch(text):
        return int(text[:MAX_DIGITS])  # a longer number is not needed: this one is far above every limit
    if expected_type == "boolean":
        return BOOLEANS.get(text, text)
    return text


def _accepts_any(accept: bytes, media_types: Sequence[str]) -> bool:
    """Return whether an Accept header, unless it is empty, allows one of these media types, if there are any."""
    text = accept.decode("latin-1")
    return not text.strip() or not media_types or any(_accepts(text, name) for name in media_types)


def _accepts(accept: str, media_type: str) -> bool:
    """Return whether an Accept header allows a media type: its most specific range decides (RFC 9110, 12.5.1)."""
    is_allowed = {}
    for media_range in accept.lower().split(","):
        name, *options = media_range.split(";")
        is_allowed[name.strip()] = not any(ZERO_QUALITY.fullmatch(option) for option in options)
    specific_first = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    return next((is_allowed[name] for name in specific_first if name in is_allowed), False)
