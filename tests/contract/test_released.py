"""The document of the last release: nothing that its clients rely on is removed, narrowed or required."""

import json

from app import spec
from app.compatibility.changes import breaking
from app.compatibility.documents import compare
from tests.support.servers import ROOT

RELEASED = json.loads((ROOT / "openapi/released/openapi.json").read_text())


def test_the_document_breaks_no_client_of_the_last_release() -> None:
    assert [f"{change.operation}: {change.sentence}" for change in breaking(compare(RELEASED, spec.published()))] == []


def test_the_kept_document_is_that_of_a_server() -> None:
    assert [server["url"] for server in RELEASED["servers"]] == ["https://distribu.example/api/v1"]
    assert RELEASED["openapi"] == "3.0.3"
