"""Judge a request against the document: parameters, then `Accept`, then the body. Built once for each operation.

Stands where Connexion's own validation would, which rebuilds its validators for every request, stops at the
first fault and lets several kinds of malformed input through (docs/decisions/0002).
"""

import asyncio
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from app import spec
from app.http.body import has_body, read_json
from app.http.errors import ApiError, Fault, invalid, pointer, shown
from app.http.faults import Rules
from app.http.request_state import Call, call_of
from app.spec import Document, Operation

MAX_DIGITS = 40
WHOLE = re.compile(r"-?[0-9]+", re.ASCII)
REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
BOOLEANS = {"true": True, "false": False}
SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")


class RequestRules:
    """What the document says of the requests of one operation."""

    def __init__(self, operation: Operation, document: Document) -> None:
        """Look everything up."""
        definition = operation.definition
        self._parameters = [dereference(document, each) for each in definition.get("parameters", [])]
        properties = {each["name"]: _text_schema(each["schema"]) for each in self._parameters}
        required = [each["name"] for each in self._parameters if each.get("required")]
        schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        self._rules = Rules(schema, kinds={each["name"]: each["in"] for each in self._parameters})
        self._known = [each["name"] for each in self._parameters if each["in"] == "query"]
        self._produces = _media_types(definition, document)
        self._body = _body_rules(definition, document)
        self._needs_body = spec.resolve(document, definition.get("requestBody", {})).get("required", False)

    async def judge(self, scope: Scope, receive: Receive, call: Call) -> None:
        """Leave the handler's arguments in `call`. Raises ApiError 400, 406, 408, 413 or 415."""
        self._check_accept(scope)
        body = await self._read_body(scope, receive) if self._body else None
        faults = self._read_parameters(scope, call)
        if self._body:
            call.arguments["body"] = body
            if not self._body.accept(body):  # explaining takes its time where there is much to explain
                faults += await asyncio.to_thread(self._body.faults, body)
        if faults:
            raise invalid(faults)

    async def _read_body(self, scope: Scope, receive: Receive) -> Any:
        """Take no body at all for an empty object where the document does not require one."""
        return await read_json(scope, receive) if self._needs_body or has_body(scope) else {}

    def _read_parameters(self, scope: Scope, call: Call) -> list[Fault]:
        values: dict[str, Any] = {}
        faults = []
        for parameter in self._parameters:
            name, kind, schema = parameter["name"], parameter["in"], parameter["schema"]
            given = _given(scope, call, name, kind)
            if len(given) > 1:
                faults.append(Fault(pointer=f"/{kind}/{name}", message=f"{name} must be given once"))
            if given:
                values[name] = _convert(given[0], schema.get("type"))
            elif "default" in schema:
                values[name] = schema["default"]
        call.arguments = {_snake(name): value for name, value in values.items()}
        unknown = [self._unknown(name) for name in call.query if name not in self._known]
        return faults + self._rules.faults(values) + unknown

    def _unknown(self, name: str) -> Fault:
        message = f"{shown(name) or 'An empty name'} is not a known parameter"
        return Fault(pointer=pointer(("query", name)), message=message, data={"known": self._known})

    def _check_accept(self, scope: Scope) -> None:
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        if accepted.strip() and self._produces and not any(_matches(accepted, produced) for produced in self._produces):
            message = f"Not acceptable. This resource is available as: {', '.join(self._produces)}."
            raise ApiError(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", message)


class ValidationMiddleware:
    """Let through what the document allows, with the arguments of the handler in the Call."""

    def __init__(self, app: ASGIApp, *, operations: Iterable[Operation], document: Document) -> None:
        """Prepare every operation."""
        self.app = app
        self._rules = {each.id: RequestRules(each, document) for each in operations}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is valid."""
        if scope["type"] == "http":
            call = call_of(scope)
            assert call.operation is not None  # OperationMiddleware stands before
            await self._rules[call.operation.id].judge(scope, receive, call)
        await self.app(scope, receive, send)


def dereference(document: Document, node: Any) -> Any:
    """Return `node` with every reference replaced by what it names. Schemas of requests are not recursive."""
    if isinstance(node, list):
        return [dereference(document, child) for child in node]
    if not isinstance(node, dict):
        return node
    return {key: dereference(document, value) for key, value in spec.resolve(document, node).items()}


def _text_schema(schema: Document) -> Document:
    """Mark a parameter's schema: all its values come as text, so 'abc' for a number is not the wrong JSON type."""
    return {**schema, "x-text": True}


def _given(scope: Scope, call: Call, name: str, kind: str) -> list[str]:
    if kind == "query":
        return call.query.get(name, [])
    if kind == "path":
        return [scope["path_params"][name]]
    wanted = name.lower().encode()
    return [value.decode("latin-1").strip(" \t") for key, value in scope["headers"] if key == wanted]  # RFC 9110, 5.5


def _convert(text: str, wanted: str | None) -> Any:
    """Read a parameter as its type; what cannot be read stays text, and the rules will say so."""
    if wanted == "integer" and WHOLE.fullmatch(text):
        return int(text[:MAX_DIGITS])  # as good as any longer number: far beyond every limit
    if wanted == "boolean":
        return BOOLEANS.get(text, text)
    return text


def _snake(name: str) -> str:
    return SNAKE.sub("_", name).lower()


def _body_rules(definition: Document, document: Document) -> Rules | None:
    if "requestBody" not in definition:
        return None
    body = spec.resolve(document, definition["requestBody"])
    return Rules(dereference(document, body["content"]["application/json"]["schema"]))


def _media_types(definition: Document, document: Document) -> list[str]:
    successes = [spec.resolve(document, each) for status, each in definition["responses"].items() if status[0] == "2"]
    return sorted({media_type for each in successes for media_type in each.get("content", {})})


def _matches(accepted: str, produced: str) -> bool:
    """Tell whether an Accept header (RFC 9110, section 12.5.1) allows a media type: its most specific range decides."""
    ranges = {}
    for each in accepted.lower().split(","):
        name, *options = each.split(";")
        ranges[name.strip()] = not any(REFUSED.fullmatch(option) for option in options)
    specific_first = (produced, produced.partition("/")[0] + "/*", "*/*")
    return next((ranges[name] for name in specific_first if name in ranges), False)
