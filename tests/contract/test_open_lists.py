"""Responses and events are open: a client accepts the fields and the values that later versions add. Requests are not.

The values of a field in a response are listed in `x-extensible-enum`; the enums of requests have the same values.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from app import spec
from tests.contract.test_document import DOCUMENT, OPERATIONS, SCHEMAS

OPEN = "x-extensible-enum"
VALUES = {name.removesuffix("Value"): schema[OPEN] for name, schema in SCHEMAS.items() if name.endswith("Value")}
RESPONSES = [*(operation.definition["responses"] for operation in OPERATIONS), DOCUMENT["x-webhooks"]]
EVENT_TYPES, WILDCARDS = (SCHEMAS[name]["enum"] for name in ("EventType", "EventWildcard"))
SUBSCRIPTIONS = [event for event in EVENT_TYPES if event != "webhook.test"] + WILDCARDS


def test_no_response_or_event_has_a_closed_list() -> None:
    """A client with an enum fails at the first new value. A constant, such as the type of an event, never changes."""
    found = list(_lists(spec.dereference(DOCUMENT, RESPONSES)))

    assert [values for keyword, values in found if keyword == "enum"] == []
    assert [values for keyword, values in found if keyword == OPEN]


def test_an_open_list_has_the_values_of_its_enum() -> None:
    enums = {name: schema["enum"] for name, schema in SCHEMAS.items() if "enum" in schema}

    assert {**enums, "EventSubscription": SUBSCRIPTIONS}.items() >= VALUES.items()


@pytest.mark.parametrize(
    ("schema", "field", "values"),
    [
        ("ReturnItem", "reason", SCHEMAS["ReturnReason"]["enum"]),
        ("OrderReturn", "method", SCHEMAS["RefundMethod"]["enum"]),
        ("ReportRange", "preset", [*SCHEMAS["ReportPreset"]["enum"], "custom"]),
    ],
)
def test_a_list_of_one_field_has_the_values_of_an_enum(schema: str, field: str, values: list[str]) -> None:
    assert SCHEMAS[schema]["properties"][field][OPEN] == values


def _lists(node: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the keyword and the values of every list of values at or below `node`, except constants."""
    if isinstance(node, dict):
        if len(node.get("enum", ())) == 1:
            return
        yield from ((keyword, node[keyword]) for keyword in ("enum", OPEN) if isinstance(node.get(keyword), list))
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _lists(child)
