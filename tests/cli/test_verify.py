"""`distribu verify`: its lines, its JSON and its exit codes (contract, section 11).

Every kind of problem is tested in tests/verification/.
"""

import json
from collections.abc import Callable

import pytest

from app.db import Database
from app.services.audit_seals import ENTRIES
from app.services.audit_seals import TABLE as SEALS
from app.verification.checks import CHECKS
from tests.cli.conftest import Command, dump
from tests.support import factories
from tests.support.sealed_log import ADVICE, SealedLog
from tests.support.verified_shop import CORRECT, ORDERS, PRODUCTS, VerifiedShop


@pytest.fixture
def verified(fresh_database: Database) -> VerifiedShop:
    """Return a company whose ledger, orders and events are consistent."""
    return VerifiedShop(fresh_database)


class TestVerify:
    def test_the_demo_company_is_consistent(self, distribu: Command, fresh_database: Database) -> None:
        factories.demo_key(fresh_database)

        outcome = distribu("verify")

        lines = outcome.out.splitlines()
        assert (outcome.code, outcome.err) == (0, "")
        assert [line[0] for line in lines] == ["✓"] * len(CHECKS)
        assert lines[0] == "✓ 303 products: stock equals the ledger"

    def test_an_empty_database_is_consistent(self, distribu: Command) -> None:
        assert distribu("verify").out.splitlines()[0] == "✓ 0 products: stock equals the ledger"

    def test_thousands_are_separated(self, distribu: Command, fresh_database: Database) -> None:
        tenant = factories.tenant(fresh_database)
        factories.products(fresh_database, tenant.company_id, 1_234)

        assert "✓ 1,234 products" in distribu("verify").out

    def test_the_first_problem_of_each_kind_is_printed(self, distribu: Command, verified: VerifiedShop) -> None:
        verified.update(PRODUCTS, verified.one, stock=42)
        verified.update(PRODUCTS, verified.two, stock=8)
        verified.update(ORDERS, verified.first, event_sequence=1)

        outcome = distribu("verify")

        slug = verified.tenant.slug
        lines = outcome.out.splitlines()
        assert (outcome.code, outcome.err) == (1, "")
        assert lines[:2] == [
            "✗ 2 products: stock equals the ledger (problems: 2)",
            f"  {slug}: product WDG-001 ({verified.one}): stock is 42, its movements add up to 40.{CORRECT}",
        ]
        assert lines[-3].startswith("✗ 5 orders, customers, products, returns, credit notes and webhooks: ")
        assert lines[-2] == f"  {slug}: order {verified.first}: event_sequence is 1, but it has no events.{CORRECT}"
        assert len(lines) == len(CHECKS) + 2

    def test_json_has_every_check_and_its_first_problem(self, distribu: Command, verified: VerifiedShop) -> None:
        verified.update(PRODUCTS, verified.two, stock=8)

        outcome = distribu("verify", "--json")

        stock, *others = json.loads(outcome.out)["checks"]
        assert (outcome.code, outcome.err) == (1, "")
        problem = f"stock is 8, its movements add up to 7.{CORRECT}"
        row = {"company": verified.tenant.slug, "entity": "product", "id": verified.two, "problem": problem}
        assert stock == {"name": "stock", "checked": 2, "problems": 1, "first": row}
        assert [check["name"] for check in others] == [check.name for check in CHECKS[1:]]
        assert {(check["problems"], check["first"]) for check in others} == {(0, None)}

    def test_json_of_a_consistent_database(self, distribu: Command, verified: VerifiedShop) -> None:
        checks = distribu("verify", "--json").json["checks"]

        assert {check["problems"] for check in checks} == {0}
        assert [check["checked"] for check in checks] == [2, 8, 8, 8, 2, 6, 2, 2, *[0] * 9, 0, 5, 2]

    def test_only_the_given_company_is_checked(self, distribu: Command, verified: VerifiedShop) -> None:
        other = VerifiedShop(verified.database)
        other.update(PRODUCTS, other.one, stock=41)

        clean = distribu("verify", "--company", verified.tenant.slug)
        assert clean.code == 0
        assert "✓ 2 products" in clean.out

        damaged = distribu("verify", "--company", other.tenant.slug)
        assert damaged.code == 1
        assert other.one in damaged.out

        everything = distribu("verify")
        assert everything.code == 1
        assert "✗ 4 products: stock equals the ledger (problems: 1)" in everything.out

    def test_control_characters_of_a_sku_are_replaced(self, distribu: Command, verified: VerifiedShop) -> None:
        verified.update(PRODUCTS, verified.one, sku="A\x1b[2J", stock=41)

        assert "product A\N{REPLACEMENT CHARACTER}[2J (" in distribu("verify").out

    @pytest.mark.parametrize("store", ["postgresql"], indirect=True)
    def test_statements_have_no_time_limit(self, distribu: Command, verified: VerifiedShop) -> None:
        with verified.database.connection() as connection:
            connection.exec_driver_sql("ALTER TABLE inventory_movements RENAME TO stored_movements")
            connection.exec_driver_sql(
                "CREATE VIEW inventory_movements AS SELECT * FROM stored_movements "
                "WHERE current_setting('statement_timeout') = '0'"
            )

        assert distribu("verify").code == 0

    def test_an_unknown_company_is_an_error(self, distribu: Command, verified: VerifiedShop) -> None:
        outcome = distribu("verify", "--company", "unknown")

        assert (outcome.code, outcome.error) == (1, "Company 'unknown' not found.")

    def test_nothing_is_changed(self, distribu: Command, verified: VerifiedShop) -> None:
        before = dump(verified.database)
        distribu("verify")

        assert dump(verified.database) == before


class TestAuditLog:
    def test_the_changed_entry_is_named(self, distribu: Command, fresh_database: Database) -> None:
        log = SealedLog(fresh_database)
        log.update(ENTRIES, log.ids[2], action="order.placed")

        outcome = distribu("verify", "--company", log.tenant.slug)

        assert outcome.code == 1
        assert outcome.out.splitlines()[-2:] == [
            "✗ 8 audit entries: the seals prove that they are unchanged (problems: 1)",
            f"  {log.tenant.slug}: audit entry {log.ids[2]} was changed: it does not match its seal{ADVICE}",
        ]

    def test_json_names_it_too(self, distribu: Command, fresh_database: Database) -> None:
        log = SealedLog(fresh_database)
        log.delete(ENTRIES, log.ids[2])

        *_, check = json.loads(distribu("verify", "--json").out)["checks"]

        row = {"company": log.tenant.slug, "entity": "audit entry", "id": log.ids[2], "problem": f"was removed{ADVICE}"}
        assert check == {"name": "auditChain", "checked": 7, "problems": 1, "first": row}

    @pytest.mark.parametrize("spell", [str.lower, str.upper])
    def test_a_kept_seal_is_found(
        self, distribu: Command, fresh_database: Database, spell: Callable[[str], str]
    ) -> None:
        log = SealedLog(fresh_database)
        kept = log.latest().hex()
        log.append()
        log.seal()

        outcome = distribu("verify", "--company", log.tenant.slug, "--seal", spell(kept))

        assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "✓ 1 kept seal: the audit log contains it")

    def test_a_removed_end_is_seen_with_a_kept_seal_only(self, distribu: Command, fresh_database: Database) -> None:
        log = SealedLog(fresh_database)
        kept = log.latest().hex()
        log.delete(SEALS, *log.ids[5:])
        log.delete(ENTRIES, *log.ids[5:])

        assert distribu("verify", "--company", log.tenant.slug).code == 0
        outcome = distribu("verify", "--company", log.tenant.slug, "--seal", kept)
        assert outcome.code == 1
        assert outcome.out.splitlines()[-2] == "✗ 1 kept seal: the audit log contains it (problems: 1)"
        assert outcome.out.splitlines()[-1].startswith(f"  {log.tenant.slug}: seal {kept} is not in the audit log: ")

    @pytest.mark.parametrize("seal", ["", "0" * 63, "0" * 65, "g" * 64])
    def test_an_invalid_seal_is_an_error(self, distribu: Command, verified: VerifiedShop, seal: str) -> None:
        outcome = distribu("verify", "--company", verified.tenant.slug, "--seal", seal)

        assert outcome.code == 2
        assert f"'{seal}' is not a seal. A seal has 64 hexadecimal digits." in outcome.err

    def test_a_seal_needs_its_company(self, distribu: Command) -> None:
        outcome = distribu("verify", "--seal", "0" * 64)

        assert outcome.code == 2
        assert "--seal needs --company: each company has its own seals." in outcome.err
