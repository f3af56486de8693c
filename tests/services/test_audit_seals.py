"""The seals of the audit log, compared with another program that computes them (contract, section 9.8)."""

import json
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.schemas.base import timestamp
from app.services import audit_seals
from app.services.audit_seals import ENTRIES
from models import AuditEntry
from tests.support import factories
from tests.support.debian import program
from tests.support.sealed_log import SealedLog, seal_all

JAVASCRIPT = """
const { createHash } = require("crypto");
const canonical = (value) =>
  Array.isArray(value) ? "[" + value.map(canonical).join(",") + "]"
  : value !== null && typeof value === "object"
    ? "{" + Object.keys(value).sort().map((name) => JSON.stringify(name) + ":" + canonical(value[name])).join(",") + "}"
    : JSON.stringify(value);
let seal = Buffer.alloc(32);
for (const entry of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  seal = createHash("sha256").update(seal).update(canonical(entry), "utf8").digest();
}
process.stdout.write(seal.toString("hex"));
"""
AT = datetime(2026, 4, 16, 14, 22, 0, 5_000, UTC)
DETAILS: list[dict[str, Any]] = [
    {},
    {
        "after": {
            "price": 12.0,
            "stock": 100,
            "name": 'Grüße \U0001f600 \u2028 \x7f \x01 \\ "',
            "isActive": True,
            "sku": None,
        }
    },
    {"numbers": [0.1 + 0.2, -0.0, 1e-7, 0.000001, 1e21, 1e20, 999999999999.99, 5e-324, 2**53 + 1, -1, 1.5e300]},
    {"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "a": {"c": [], "b": {}}, "A": [1, "1", 1.0]},
]
SEAL = "02f9f74cf22fe313d1c9deebd7426ab3f392e9fb0465922130a8dce1df457a6f"


def insert(database: Database, company_id: str) -> None:
    """Insert entries that are always the same."""
    rows = [
        {
            "id": f"cmdw8k1ze000{number}qj7h6r4t9v3b",
            "company_id": company_id,
            "action": "product.updated",
            "actor_type": "API_KEY",
            "actor_id": "cmdw8k1ze0001qj7h9s3k7m4a",
            "entity_type": "product",
            "entity_id": "cmdw8k1ze0002qj7h6r4t9v3b",
            "details": details,
            "request_id": "req-\u00fc-1",
            "address": "2001:db8::1" if number else None,
            "created_at": AT,
        }
        for number, details in enumerate(DETAILS)
    ]
    with database.transaction(write=True) as session:
        session.connection().execute(ENTRIES.insert(), rows)


def as_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as `GET /audit-log/{id}` shows it."""
    return {
        "id": entry.id,
        "action": entry.action,
        "actorType": entry.actor_type,
        "actorId": entry.actor_id,
        "entityType": entry.entity_type,
        "entityId": entry.entity_id,
        "requestId": entry.request_id,
        "address": entry.address,
        "createdAt": timestamp(entry.created_at),
        "metadata": entry.details,
    }


def recomputed(database: Database, company_id: str) -> str:
    """Return the last seal of a company as another program computes it."""
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(company_id=company_id)
        content = [as_json(entry) for entry in entries.order_by(AuditEntry.created_at, AuditEntry.id)]
    command = [program("node", "nodejs"), "-e", JAVASCRIPT]
    return subprocess.run(command, input=json.dumps(content).encode(), capture_output=True, check=True).stdout.decode()


class TestDigest:
    def test_another_program_computes_the_same_seal(self, fresh_database: Database) -> None:
        tenant = factories.tenant(fresh_database)
        insert(fresh_database, tenant.company_id)
        seal_all(fresh_database)

        with fresh_database.transaction() as session:
            last = audit_seals.latest(factories.context(session, tenant.company_id))
        assert last is not None
        assert (last.number, last.seal.hex()) == (6, recomputed(fresh_database, tenant.company_id))

    def test_the_seal_is_the_same_on_both_databases(self, fresh_database: Database) -> None:
        tenant = factories.tenant(fresh_database)
        insert(fresh_database, tenant.company_id)

        with fresh_database.transaction() as session:
            (*_, last) = audit_seals.next_seals(session, tenant.company_id, AT.replace(minute=23), 4)
        assert last.seal.hex() == SEAL

    def test_every_entry_of_a_busy_company_can_be_recomputed(self, fresh_database: Database) -> None:
        factories.demo_key(fresh_database)
        log = SealedLog(fresh_database)

        assert log.latest().hex() == recomputed(fresh_database, log.tenant.company_id)


class TestLatest:
    def test_there_is_none_before_the_first(self, fresh_database: Database) -> None:
        tenant = factories.tenant(fresh_database)

        with fresh_database.transaction() as session:
            assert audit_seals.latest(factories.context(session, tenant.company_id)) is None

    def test_it_is_the_last_of_the_company(self, fresh_database: Database) -> None:
        log, other = SealedLog(fresh_database), SealedLog(fresh_database, count=1)

        with log.context() as ctx:
            last = audit_seals.latest(ctx)
        assert last is not None
        assert (last.id, last.number) == (log.ids[-1], 8)
        assert other.latest() != last.seal


class TestNextSeals:
    def test_entries_at_the_end_of_the_time_are_not_sealed(self, fresh_database: Database) -> None:
        tenant = factories.tenant(fresh_database)
        insert(fresh_database, tenant.company_id)

        def count(until: datetime) -> int:
            with fresh_database.transaction() as session:
                return len(audit_seals.next_seals(session, tenant.company_id, until, 10))

        assert (count(AT), count(AT.replace(microsecond=6_000))) == (0, 4)

    @pytest.mark.parametrize("limit", [1, 3, 4, 5])
    def test_entries_of_one_time_are_sealed_in_the_order_of_their_ids(
        self, fresh_database: Database, limit: int
    ) -> None:
        tenant = factories.tenant(fresh_database)
        insert(fresh_database, tenant.company_id)
        sealed: list[str] = []

        for _ in range(4):
            with fresh_database.transaction(write=True) as session:
                seals = audit_seals.next_seals(session, tenant.company_id, AT.replace(minute=23), limit)
                if seals:
                    audit_seals.append(session, seals, AT)
                sealed += [seal.id for seal in seals]

        assert sealed == [f"cmdw8k1ze000{number}qj7h6r4t9v3b" for number in range(4)]

    def test_details_that_are_not_json_are_left_out(
        self, fresh_database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = SealedLog(fresh_database, count=0)
        log.append(3)
        *_, one, invalid, last = log.entry_ids()
        json_text = "'{\"total\": 1e999}'"
        log.update(ENTRIES, invalid, details=sa.literal_column(json_text))
        log.seal()

        assert log.sealed_ids() == [*log.ids, one, last]
        assert f"audit entry {invalid} of company {log.tenant.company_id} cannot be sealed" in caplog.text
