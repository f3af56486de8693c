"""The recorded v1 exchanges: the server still sends the same bytes, and the recording covers the whole API."""

import difflib
import re

from app import spec
from tests.contract.exchanges import EXCHANGES, RULE, record
from tests.support.servers import free_port

# Provoked elsewhere: they need a slow client, two requests at the same time, 64-bit sums, 100 keys, or a database that
# is down.
NOT_RECORDED = {"body_timeout", "idempotency_key_in_use", "figures_too_large", "key_limit_reached"} | {
    *("shipment_limit_reached", "internal_error", "database_unavailable", "not_ready")
}


def test_the_exchanges_are_as_recorded(database_url: str) -> None:
    recorded, current = EXCHANGES.read_text(), record(database_url, free_port())

    lines = difflib.unified_diff(recorded.splitlines(), current.splitlines(), "recorded", "current", lineterm="", n=15)
    assert current == recorded, "`make exchanges` records a deliberate change.\n" + "\n".join(lines)


def test_every_operation_is_recorded() -> None:
    succeeded = [
        part.split(" HTTP/1.1\n")[0].split("?")[0].replace(" /api/v1", " ", 1)
        for part in EXCHANGES.read_text().split(f"\n{RULE}\n")
        if "\nHTTP/1.1 2" in part
    ]

    for operation in spec.operations(spec.document()):
        pattern = re.compile(f"{operation.method} {re.sub('{[^}]*}', '[^/ ]+', operation.path)}")
        assert any(pattern.fullmatch(line) for line in succeeded), operation.id


def test_every_error_code_is_recorded() -> None:
    assert (
        spec.document()["x-error-codes"].keys() - set(re.findall(r'"code":"(\w+)"', EXCHANGES.read_text()))
        == NOT_RECORDED
    )
