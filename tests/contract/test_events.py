"""Every event type is complete in code, document and contract: `docs/adding-an-event.md` is the checklist.

Not in this module: the enums of the document (`tests/contract/test_document.py`).
"""

import inspect
import re

import pytest

from app import spec
from app.schemas import events as payloads
from app.schemas.sample_events import component_name as component
from app.services.events import ENTITY_TABLES
from models import RESERVED, SUBSCRIBABLE, EventType
from tests.support.servers import ROOT

DOCUMENT = spec.document()
SCHEMAS, EXAMPLES = DOCUMENT["components"]["schemas"], DOCUMENT["components"]["examples"]
PUBLISHED = [event for event in EventType if event not in RESERVED]


@pytest.mark.parametrize("event", EventType)
class TestDocument:
    def test_has_a_schema(self, event: EventType) -> None:
        assert SCHEMAS[component(event)]["properties"]["event"]["enum"] == [event]

    def test_has_an_example(self, event: EventType) -> None:
        assert EXAMPLES[component(event)]["value"]["event"] == event

    def test_has_a_webhook(self, event: EventType) -> None:
        operation = DOCUMENT["x-webhooks"][re.sub("[._]", "-", event)]["post"]
        content = operation["requestBody"]["content"]["application/json"]

        assert operation["operationId"] == f"on{component(event)}".removesuffix("Event")
        assert content["schema"] == {"$ref": f"#/components/schemas/{component(event)}"}
        assert content["examples"].keys() == {component(event)}


@pytest.mark.parametrize("event", SUBSCRIBABLE)
def test_the_contract_lists_every_type_that_can_be_subscribed_to(event: EventType) -> None:
    section = (ROOT / "docs/contract.md").read_text().partition("### 8.1 Events")[2].partition("\n### ")[0]

    assert f"`{event}`" in section


@pytest.mark.parametrize("event", PUBLISHED)
class TestCode:
    def test_has_a_payload(self, event: EventType) -> None:
        assert f"EventType.{event.name}" in inspect.getsource(payloads)

    def test_has_an_entity_with_a_sequence(self, event: EventType) -> None:
        assert "event_sequence" in ENTITY_TABLES[event.partition(".")[0]].c


@pytest.mark.parametrize("event", sorted(RESERVED))
def test_the_document_says_that_a_type_is_reserved(event: EventType) -> None:
    assert f"`{event}`" in SCHEMAS["EventType"]["description"]
