"""Every edit of an operation or a webhook of the document is found, and only what clients rely on is a break."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from app import spec
from app.compatibility.changes import Effect, breaking
from app.compatibility.documents import compare
from app.spec import Document
from tests.support.mutations import Pointer, at, operations

DOCUMENT = spec.document()
ADDED = {"type": "string", "maxLength": 9}


@dataclass(frozen=True)
class Edit:
    """A change of one operation. Its definition is changed in place, and has no references."""

    effect: Effect
    apply: Callable[[Document], object]


def edits(definition: Document, *, is_webhook: bool) -> Iterator[tuple[str, Edit]]:
    """Yield every edit of an operation or a webhook, with a name."""
    sent, received = (Effect.ADDS, Effect.BREAKS) if is_webhook else (Effect.BREAKS, Effect.ADDS)
    yield from _edits_of_parameters(definition, is_webhook=is_webhook)
    for status, response in definition["responses"].items():
        yield f"without {status}", Edit(Effect.BREAKS, partial(_remove, ("responses",), status))
        for header, declared in response.get("headers", {}).items():
            yield from _edits_of_header(status, header, is_required=declared.get("required", False))
        for media_type in response.get("content", {}):
            yield (
                f"without {media_type} of {status}",
                Edit(Effect.BREAKS, partial(_remove, ("responses", status, "content"), media_type)),
            )
    yield "with a status", Edit(Effect.ADDS, partial(_update, ("responses",), {"418": {"description": "New."}}))
    yield "with another id", Edit(Effect.BREAKS, partial(_update, (), {"operationId": "other"}))
    yield from _edits_of_body(definition, sent=sent, received=received)
    if not is_webhook:
        yield from _edits_of_access(definition)


def _edits_of_parameters(definition: Document, *, is_webhook: bool) -> Iterator[tuple[str, Edit]]:
    for index, parameter in enumerate(definition.get("parameters", [])):
        if parameter["in"] == "path":
            continue
        yield (
            f"without {parameter['name']}",
            Edit(Effect.BREAKS, partial(_remove, ("parameters",), index)),
        )
        is_required = parameter.get("required", False)
        effect = Effect.ADDS if is_required is not is_webhook else Effect.BREAKS
        change = partial(_update, ("parameters", index), {"required": not is_required})
        yield f"{parameter['name']} {'optional' if is_required else 'required'}", Edit(effect, change)
        yield (
            f"with style of {parameter['name']}",
            Edit(Effect.BREAKS, partial(_update, ("parameters", index), {"style": "other"})),
        )
    for is_required in (False, True):
        added = {"name": "added", "in": "query", "required": is_required, "schema": ADDED}
        effect = Effect.BREAKS if is_required and not is_webhook else Effect.ADDS
        yield f"with a parameter {is_required}", Edit(effect, partial(_add_parameter, added))


def _edits_of_header(status: str, header: str, *, is_required: bool) -> Iterator[tuple[str, Edit]]:
    headers = ("responses", status, "headers")
    yield f"without {header} of {status}", Edit(Effect.BREAKS, partial(_remove, headers, header))
    effect = Effect.BREAKS if is_required else Effect.ADDS
    yield f"{header} of {status}", Edit(effect, partial(_update, (*headers, header), {"required": not is_required}))
    added = {"X-Added": {"required": True, "schema": ADDED}}
    yield f"with a header of {status}", Edit(Effect.ADDS, partial(_update, headers, added))


def _edits_of_body(definition: Document, *, sent: Effect, received: Effect) -> Iterator[tuple[str, Edit]]:
    if "requestBody" not in definition:
        added = {"required": True, "content": {"application/json": {"schema": ADDED}}}
        yield "with a required body", Edit(sent, partial(_update, (), {"requestBody": added}))
        yield "with a body", Edit(Effect.ADDS, partial(_update, (), {"requestBody": {**added, "required": False}}))
        return
    body = definition["requestBody"]
    is_required = body.get("required", False)
    yield "without body", Edit(Effect.BREAKS, partial(_remove, (), "requestBody"))
    yield (
        "body",
        Edit(received if is_required else sent, partial(_update, ("requestBody",), {"required": not is_required})),
    )
    yield "without JSON", Edit(Effect.BREAKS, partial(_remove, ("requestBody", "content"), "application/json"))
    csv = {"text/csv": {"schema": ADDED}}
    yield "with CSV", Edit(Effect.ADDS, partial(_update, ("requestBody", "content"), csv))
    if "x-max-bytes" in body:
        smaller = {"x-max-bytes": body["x-max-bytes"] - 1}
        yield "smaller", Edit(Effect.BREAKS, partial(_update, ("requestBody",), smaller))


def _edits_of_access(definition: Document) -> Iterator[tuple[str, Edit]]:
    if definition["security"] == []:
        yield "with a key", Edit(Effect.BREAKS, partial(_remove, (), "security"))
        return
    yield "public", Edit(Effect.ADDS, partial(_update, (), {"security": []}))
    yield "another scheme", Edit(Effect.BREAKS, partial(_update, (), {"security": [{"other": []}]}))
    yield "either scheme", Edit(Effect.ADDS, partial(_update, (), {"security": [{"bearerAuth": []}, {"other": []}]}))
    yield "both schemes", Edit(Effect.BREAKS, partial(_update, (), {"security": [{"bearerAuth": [], "other": []}]}))
    yield "another scope", Edit(Effect.BREAKS, partial(_update, (), {"x-scope": "other:read"}))
    if definition["x-scope"] != spec.ANY_KEY:
        yield "any scope", Edit(Effect.ADDS, partial(_update, (), {"x-scope": spec.ANY_KEY}))


def _remove(pointer: Pointer, member: str | int, definition: Document) -> None:
    del at(definition, pointer)[member]


def _update(pointer: Pointer, members: Document, definition: Document) -> None:
    at(definition, pointer).update(members)


def _add_parameter(parameter: Document, definition: Document) -> None:
    definition.setdefault("parameters", []).append(parameter)


def definition_at(operation: Pointer) -> Document:
    """Return a copy of an operation, without references outside of its schemas."""
    definition = copy.deepcopy(at(DOCUMENT, operation))
    definition["parameters"] = [spec.resolve(DOCUMENT, parameter) for parameter in definition.get("parameters", [])]
    for status, reference in definition["responses"].items():
        response = {**spec.resolve(DOCUMENT, reference)}
        headers = response.get("headers", {})
        response["headers"] = {header: spec.resolve(DOCUMENT, found) for header, found in headers.items()}
        definition["responses"][status] = response
    return copy.deepcopy(definition)


@pytest.mark.parametrize(
    "operation", list(operations(DOCUMENT)), ids=lambda operation: f"{operation[2]} {operation[1]}"
)
def test_every_edit_of_an_operation_is_found(operation: Pointer) -> None:
    section, path, method = operation
    is_webhook = section == "x-webhooks"
    old = definition_at(operation)
    base = {**DOCUMENT, "paths": {}, "x-webhooks": {}}
    wrong = []
    for description, edit in edits(old, is_webhook=is_webhook):
        new = copy.deepcopy(old)
        edit.apply(new)
        found = compare({**base, section: {path: {method: old}}}, {**base, section: {path: {method: new}}})
        if bool(breaking(found)) is not (edit.effect is Effect.BREAKS) or not found:
            wrong.append((description, found))

    assert wrong == []


def test_a_code_of_an_error_that_is_removed_is_a_break_and_a_new_one_is_not() -> None:
    old, *news = (
        {"paths": {"/a": {"get": {"responses": {"409": {"description": "A conflict.", **codes}}}}}}
        for codes in ({"x-error-codes": ["a", "b"]}, {"x-error-codes": ["a", "b", "c"]}, {"x-error-codes": ["a"]}, {})
    )
    found = [[(change.effect, change.text) for change in compare(old, new)] for new in news]

    assert found == [
        [(Effect.ADDS, "has the new code c")],
        [(Effect.BREAKS, "no longer has the code b")],
        [(Effect.BREAKS, "no longer has the code a"), (Effect.BREAKS, "no longer has the code b")],
    ]
    assert compare(news[-1], old) == []
