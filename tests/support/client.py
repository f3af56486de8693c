"""An HTTP client that checks every response against the document: status, headers, body."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs

from app import spec
from app.http.schema_validator import to_json_schema
from app.spec import Document, Operation
from tests.support import waiting
from tests.support.local_http import NO_CERTIFICATES
from tests.support.produced import ResponseRecorder

# A request may return these before it reaches an operation, with these headers.
NO_OPERATION, UNDOCUMENTED = {204, 400, 401, 404, 405, 429}, {400, 404, 408, 413, 415}
EARLY = {"allow", "accept", "accept-encoding", "ratelimit", "ratelimit-policy", "x-request-id"}
# Headers of HTTP itself, which every response may have (RFC 9110, RFC 9112).
TRANSPORT = {"connection", "content-length", "content-type", "date", "server", "transfer-encoding"}
PARAMETER = re.compile(r"\\{[^}]*\\}")


def _closed(node: Any) -> Any:
    """Return a schema whose lists of values are closed: clients must accept new values, but this version has none."""
    if isinstance(node, list):
        return [_closed(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {("enum" if key == "x-extensible-enum" else key): _closed(value) for key, value in node.items()}


def _codes(response: httpx.Response) -> set[str]:
    """Return the code of an error, and those of its details. The response to a HEAD request has none."""
    if not response.content:
        return set()
    body = response.json()
    return {body["code"], *(detail["code"] for detail in body.get("details", []) if "code" in detail)}


class Contract:
    """The responses that the document defines."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._operations = [(self._pattern(operation.path), operation) for operation in spec.operations(document)]
        self._validators: dict[str, Any] = {}
        self._error = self._validator({"$ref": "#/components/schemas/ErrorResponse"})
        self._recorder = ResponseRecorder()

    def check(self, response: httpx.Response) -> None:
        """Raise AssertionError if a response does not match the document."""
        path = response.request.url.path
        assert "x-request-id" in response.headers
        if not path.startswith("/api/v1/"):
            return
        operation = self._find(response.request.method, path.removeprefix("/api/v1"))
        status = str(response.status_code)
        if operation is None or status not in operation.definition["responses"]:
            assert response.status_code in (UNDOCUMENTED if operation else NO_OPERATION), f"{status} is not documented"
            expected: Document = {}
        else:
            expected = spec.resolve(self._document, operation.definition["responses"][status])
            self._recorder.add(operation.id, status, _codes(response) if "x-error-codes" in expected else ())
        self._check_headers(response, expected)
        if response.request.method != "HEAD" and response.status_code not in {204, 304}:
            self._check_body(response, expected)

    def check_event(self, content: dict[str, Any]) -> None:
        """Raise ValidationError if an event does not match the schema of its type."""
        words = re.split(r"[._]", content["event"])
        name = "".join(word.capitalize() for word in words) + "Event"
        self._validator({"$ref": f"#/components/schemas/{name}"}).validate(content)

    def _check_headers(self, response: httpx.Response, expected: Document) -> None:
        declared = {name.lower() for name in expected["headers"]} if expected else EARLY
        assert response.headers.keys() - TRANSPORT <= declared, f"{response.headers.keys()} are not all declared"
        for name, reference in expected.get("headers", {}).items():
            header = spec.resolve(self._document, reference)
            assert name in response.headers or not header.get("required"), f"{name} is missing"
            if name in response.headers:
                self._validator(header["schema"]).validate(response.headers[name])

    def _check_body(self, response: httpx.Response, expected: Document) -> None:
        media_type = response.headers["content-type"]
        assert media_type in expected.get("content", {"application/json"}), f"{media_type} is not documented"
        if media_type == "application/yaml":
            return
        if response.status_code >= 400:
            self._error.validate(response.json())
            self._check_codes(response, expected)
        content = expected.get("content", {}).get(media_type)
        if content is not None:
            self._validator(content["schema"]).validate(response.json())

    def _check_codes(self, response: httpx.Response, expected: Document) -> None:
        """Raise AssertionError if the response of an operation does not declare a code that it has."""
        codes = _codes(response)
        assert not expected or codes <= set(expected["x-error-codes"]), f"{codes} are not all declared"

    def _validator(self, schema: Document) -> Any:
        """Return the validator of a schema, compiled once."""
        key = json.dumps(schema)
        if key not in self._validators:
            definition = to_json_schema(_closed(spec.dereference(self._document, schema)))
            self._validators[key] = jsonschema_rs.Draft4Validator(definition, validate_formats=True)
        return self._validators[key]

    def _find(self, method: str, path: str) -> Operation | None:
        method = "GET" if method == "HEAD" else method
        for pattern, operation in self._operations:
            if operation.method == method and pattern.fullmatch(path):
                return operation
        return None

    @staticmethod
    def _pattern(path: str) -> re.Pattern[str]:
        return re.compile(PARAMETER.sub("[^/]+", re.escape(path)))


class Client(httpx.Client):
    """A client of a running server with one API key, or none."""

    def __init__(self, url: str, key: str | None, contract: Contract) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        hooks = {"response": [self._check]}
        super().__init__(
            base_url=url + "/api/v1",
            headers=headers,
            event_hooks=hooks,
            timeout=waiting.SECONDS,
            verify=NO_CERTIFICATES,
        )
        self._contract = contract

    def _check(self, response: httpx.Response) -> None:
        response.read()
        self._contract.check(response)

    def walk(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, params={**query, **cursor}).raise_for_status().json()
            yield from page["data"]
            if not page["pagination"]["hasMore"]:
                return
            cursor = {"cursor": page["pagination"]["nextCursor"]}


def refusals(response: Any) -> list[dict[str, Any]]:
    """Return the details of a refusal. Its `error` and `code` must be those of the first detail."""
    assert response.status_code == 422, response.text
    body = response.json()
    assert (body["error"], body["code"]) == (body["details"][0]["message"], body["details"][0]["code"])
    return list(body["details"])


def messages(response: httpx.Response) -> list[tuple[str, str]]:
    """Return the pointer and the message of every error of a 400."""
    assert response.status_code == 400, response.text
    return [(detail["pointer"], detail["message"]) for detail in response.json()["details"]]
