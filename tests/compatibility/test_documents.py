"""Operations and webhooks that are removed or new, and documents that only look different."""

import copy
import json

import pytest

from app import editions, spec
from app.compatibility.changes import breaking
from app.compatibility.documents import compare
from tests.support.mutations import Pointer, operations, without

DOCUMENT = spec.document()
EDITION = editions.document("3.1")


@pytest.mark.parametrize(
    "operation", list(operations(DOCUMENT)), ids=lambda operation: f"{operation[2]} {operation[1]}"
)
def test_a_removed_operation_is_a_break_and_a_new_one_is_not(operation: Pointer) -> None:
    section, path, method = operation
    item = DOCUMENT[section][path]
    complete = {**DOCUMENT, "paths": {}, "x-webhooks": {}, section: {path: item}}
    for items in ({path: without(item, method)}, {}):
        other = {**complete, section: items}
        assert breaking(compare(complete, other))
        assert breaking(compare(other, complete)) == []
        assert compare(other, complete)


def test_a_document_equals_itself_however_it_is_written() -> None:
    schemes = {"securitySchemes": DOCUMENT["components"]["securitySchemes"]}
    written_out = spec.dereference(DOCUMENT, {key: DOCUMENT[key] for key in ("paths", "x-webhooks")})

    assert compare(DOCUMENT, copy.deepcopy(DOCUMENT)) == []
    assert compare(DOCUMENT, {**written_out, "components": schemes}) == []
    assert compare(EDITION, copy.deepcopy(EDITION)) == []


def test_names_of_components_do_not_matter() -> None:
    text = spec.to_json(DOCUMENT).replace("#/components/schemas/", "#/components/schemas/Renamed")
    renamed = json.loads(text)
    renamed["components"]["schemas"] = {
        f"Renamed{name}": schema for name, schema in renamed["components"]["schemas"].items()
    }

    assert compare(DOCUMENT, renamed) == []


def test_names_of_parameters_in_a_path_do_not_matter() -> None:
    text = spec.to_json(DOCUMENT).replace("{shipmentId}", "{id}").replace('"name": "shipmentId"', '"name": "id"')
    renamed = json.loads(text)

    assert "/orders/{orderId}/shipments/{id}" in renamed["paths"]
    assert compare(DOCUMENT, renamed) == []


def test_the_editions_differ_in_what_3_1_adds_only() -> None:
    """Events are the only schemas whose form differs: a union of those that 3.0 describes as one."""
    found = breaking(compare(DOCUMENT, EDITION))

    assert {change.member.partition("event")[0].rpartition("test")[0] for change in found} <= {
        "",
        "data[].",
        "data.",
        "data[].payload.",
        "data.payload.",
    }
    added = {change.part for change in compare(DOCUMENT, EDITION) if change.operation.startswith("webhook ")}
    assert "header parameter webhook-signature" in added


def test_a_reference_without_a_target_is_named() -> None:
    broken = json.loads(spec.to_json(DOCUMENT).replace("#/components/schemas/OrderPage", "other.yaml"))

    with pytest.raises(spec.SpecError, match=r"'other\.yaml' is not a component of the document"):
        compare(broken, broken)
