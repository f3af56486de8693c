"""`distribu demo`: a company to try things on, safe to run twice."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.db import Database
from app.services import demo, keys
from models import Company, Product, Scope, searchable
from tests.cli.conftest import Command, dump
from tests.support.factories import Tenant


@pytest.fixture
def key_file(fresh_database: Database, tmp_path: Path) -> Path:
    """Return the file that the plaintext of the demo key is kept in."""
    directory = fresh_database.file.parent if fresh_database.file else tmp_path / "data"
    file = directory / "demo-key"
    file.unlink(missing_ok=True)
    return file


@pytest.mark.usefixtures("key_file")
class TestFirstRun:
    def test_answers_the_company_and_a_key_with_every_scope(self, distribu: Command, fresh_database: Database) -> None:
        result = distribu("demo", "--json", host="0.0.0.0", port="9000").json

        assert list(result) == ["company", "products", "created", "key", "curl"]
        assert list(result["company"]) == ["id", "name", "slug"]
        assert (result["company"]["name"], result["company"]["slug"]) == ("Greenfield Wholesale", "demo")
        assert (result["products"], result["created"]) == (300, True)
        url = "'http://127.0.0.1:9000/api/v1/products?limit=3'"
        assert result["curl"] == f"curl -H 'Authorization: Bearer {result['key']}' {url}"
        with fresh_database.transaction() as session:
            key = keys.find(session, keys.digest(result["key"]))
        assert key is not None
        assert (key.name, key.scopes) == ("Demo key", sorted(Scope))

    def test_shows_people_what_they_need(self, distribu: Command, key_file: Path) -> None:
        outcome = distribu("demo", host="::1")

        token = key_file.read_text().strip()
        assert "Greenfield Wholesale" in outcome.out
        assert f"curl -H 'Authorization: Bearer {token}' 'http://[::1]:8000/api/v1/products?limit=3'" in outcome.out
        assert outcome.err == ""

    def test_the_key_file_is_for_its_owner_only(self, distribu: Command, key_file: Path) -> None:
        key_file.parent.mkdir(exist_ok=True)
        key_file.write_text("old")
        key_file.chmod(0o644)

        result = distribu("demo", "--json").json

        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert key_file.read_text() == result["key"] + "\n"

    def test_a_key_that_cannot_be_kept_leaves_nothing_behind(
        self, distribu: Command, fresh_database: Database, key_file: Path
    ) -> None:
        before = dump(fresh_database)
        key_file.mkdir(parents=True)

        outcome = distribu("demo")
        key_file.rmdir()

        assert "The demo key cannot be kept in" in outcome.refusal
        assert outcome.code == 2
        assert dump(fresh_database) == before

    def test_the_catalogue_is_believable(self, distribu: Command, fresh_database: Database) -> None:
        distribu("demo")

        with fresh_database.transaction() as session:
            goods = session.scalars(sa.select(Product)).all()
        now = datetime.now(UTC)
        assert len({each.sku for each in goods}) == len({each.name for each in goods}) == 300
        assert len({each.category for each in goods}) == 10
        assert all(each.price > 0 and each.description and each.unit for each in goods)
        assert all(each.search_text == searchable(each.name, each.sku, each.category) for each in goods)
        assert all(now - timedelta(days=366) < each.created_at <= each.updated_at <= now for each in goods)
        assert any(each.stock == 0 for each in goods)
        assert any(0 < each.stock <= each.low_stock_threshold for each in goods)
        assert 0 < sum(not each.is_active for each in goods) < 30


@pytest.mark.usefixtures("key_file")
class TestLaterRuns:
    def test_change_nothing_and_show_the_same_key(self, distribu: Command, fresh_database: Database) -> None:
        first = distribu("demo", "--json").json
        before = dump(fresh_database)

        outcome = distribu("demo", "--json")

        assert outcome.json == first | {"created": False}
        assert "nothing was changed" in outcome.err
        assert dump(fresh_database) == before

    def test_say_how_to_get_a_key_when_the_file_is_gone(self, distribu: Command, key_file: Path) -> None:
        distribu("demo")
        key_file.unlink()

        outcome = distribu("demo", "--json")

        assert (outcome.json["key"], outcome.json["curl"]) == (None, None)
        assert "Make a new one: distribu key create --company demo" in outcome.err
        assert "curl" not in distribu("demo").out

    def test_say_so_when_the_file_holds_a_key_of_another_database(
        self, distribu: Command, key_file: Path, shop: Tenant
    ) -> None:
        distribu("demo")
        for content in ("dk_" + "x" * 43, shop.key, ""):
            key_file.write_text(content)

            assert distribu("demo", "--json").json["key"] is None

    def test_do_not_show_a_revoked_key(self, distribu: Command) -> None:
        token = distribu("demo", "--json").json["key"]
        distribu("key", "revoke", token[:12])

        assert distribu("demo", "--json").json["key"] is None


class TestCatalogue:
    def test_is_the_same_everywhere(self, fresh_database: Database) -> None:
        now = datetime(2026, 4, 16, tzinfo=UTC)
        with fresh_database.transaction(write=True) as session:
            company = demo.create_company(session, now=now)
            assert isinstance(company, Company)
            assert demo.find(session) is company
        assert company.created_at == now - timedelta(days=365)
