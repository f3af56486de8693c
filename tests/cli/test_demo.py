"""`distribu demo`: create the demo company, safe to run twice.

Its data is tested in tests/demo/.
"""

import getpass
import stat
from pathlib import Path

import pytest

from app import context
from app.db import Database
from app.demo import company as demo_company
from app.services import keys
from models import Scope
from tests.cli.conftest import Command, dump, entries
from tests.support import factories
from tests.support.factories import Tenant


@pytest.fixture
def key_file(fresh_database: Database, tmp_path: Path) -> Path:
    """Return the file that stores the plaintext of the demo key."""
    directory = fresh_database.file.parent if fresh_database.file else tmp_path / "data"
    file = directory / "demo-key"
    file.unlink(missing_ok=True)
    return file


@pytest.mark.usefixtures("key_file")
class TestFirstRun:
    def test_prints_the_company_and_a_key_with_every_scope(self, distribu: Command, fresh_database: Database) -> None:
        result = distribu("demo", "--json", host="0.0.0.0", port="9000").json

        assert list(result) == ["company", "products", "customers", "orders", "created", "key", "curl"]
        assert list(result["company"]) == ["id", "name", "slug"]
        assert (result["company"]["name"], result["company"]["slug"]) == ("Greenfield Wholesale", "demo")
        assert (result["products"], result["customers"], result["orders"]) == (303, 42, 123)
        assert result["created"] is True
        url = "'http://127.0.0.1:9000/api/v1/products?limit=3'"
        assert result["curl"] == f"curl -H 'Authorization: Bearer {result['key']}' {url}"
        with fresh_database.transaction() as session:
            key = keys.find(session, keys.digest(result["key"]))
        assert key is not None
        assert (key.name, key.scopes) == ("Demo key", sorted(Scope))

    def test_prints_a_summary_and_a_curl_command(self, distribu: Command, key_file: Path) -> None:
        outcome = distribu("demo", host="::1")

        key = key_file.read_text().strip()
        assert "Greenfield Wholesale" in outcome.out
        assert "Customers: 42\nOrders:    123\n" in outcome.out
        assert f"curl -H 'Authorization: Bearer {key}' 'http://[::1]:8000/api/v1/products?limit=3'" in outcome.out
        assert outcome.err == ""

    def test_the_curl_command_uses_the_public_url(self, distribu: Command) -> None:
        result = distribu("demo", "--json", public_url="https://shop.example/shop").json

        assert result["curl"].endswith("'https://shop.example/shop/api/v1/products?limit=3'")

    def test_only_the_owner_can_read_the_key_file(self, distribu: Command, key_file: Path) -> None:
        key_file.parent.mkdir(exist_ok=True)
        key_file.write_text("old")
        key_file.chmod(0o644)

        result = distribu("demo", "--json").json

        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert key_file.read_text() == result["key"] + "\n"

    def test_nothing_is_created_when_the_key_cannot_be_stored(
        self, distribu: Command, fresh_database: Database, key_file: Path
    ) -> None:
        before = dump(fresh_database)
        key_file.mkdir(parents=True)

        outcome = distribu("demo")
        key_file.rmdir()

        assert "The demo key cannot be stored in" in outcome.error
        assert outcome.code == 2
        assert dump(fresh_database) == before

    def test_the_audit_log_names_the_user(self, distribu: Command) -> None:
        distribu("demo")

        done = [entry for entry in entries(distribu, "demo") if entry["entityType"] in {"company", "api_key"}]
        assert {entry["actorId"] for entry in done} == {getpass.getuser()}


@pytest.mark.usefixtures("key_file")
class TestLaterRuns:
    def test_change_nothing_and_print_the_same_key(self, distribu: Command, fresh_database: Database) -> None:
        first = distribu("demo", "--json").json
        before = dump(fresh_database)

        outcome = distribu("demo", "--json")

        assert outcome.json == first | {"created": False}
        assert "was not changed" in outcome.err
        assert dump(fresh_database) == before

    def test_print_how_to_create_a_key_when_the_file_is_missing(self, distribu: Command, key_file: Path) -> None:
        distribu("demo")
        key_file.unlink()

        outcome = distribu("demo", "--json")

        assert (outcome.json["key"], outcome.json["curl"]) == (None, None)
        assert "Create a key: distribu key create --company demo" in outcome.err
        assert "curl" not in distribu("demo").out

    def test_do_not_print_a_key_of_another_database(self, distribu: Command, key_file: Path, shop: Tenant) -> None:
        distribu("demo")
        for content in ("dk_" + "x" * 43, shop.key, ""):
            key_file.write_text(content)

            assert distribu("demo", "--json").json["key"] is None

    def test_do_not_print_a_revoked_key(self, distribu: Command) -> None:
        key = distribu("demo", "--json").json["key"]
        distribu("key", "revoke", key[:12])

        assert distribu("demo", "--json").json["key"] is None

    def test_leave_an_existing_demo_company_unchanged(self, distribu: Command, fresh_database: Database) -> None:
        with fresh_database.transaction(write=True) as session:
            company_id = demo_company.create_company(session, now=context.now()).id
        factories.product(fresh_database, company_id)
        before = dump(fresh_database)

        result = distribu("demo", "--json").json

        assert (result["products"], result["customers"], result["orders"]) == (1, 0, 0)
        assert result["created"] is False
        assert dump(fresh_database) == before
