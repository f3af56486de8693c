"""`distribu product export`. What the file contains is tested in tests/product_import/test_product_export.py."""

from pathlib import Path

from app.db import Database
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant


class TestExport:
    def test_the_file_can_be_imported(
        self, distribu: Command, shop: Tenant, fresh_database: Database, tmp_path: Path
    ) -> None:
        factories.products(fresh_database, shop.company_id, 3, stock=7, description="=1\n- ä")
        factories.product(fresh_database, shop.company_id, sku=None)

        outcome = distribu("product", "export", "--company", shop.slug, "-o", "goods.csv", "--json")

        assert outcome.json == {"exported": 3, "withoutSku": 1}
        assert outcome.err == "Products without a sku that were not exported: 1.\n"
        again = distribu("product", "import", "goods.csv", "--company", shop.slug, "--json")
        assert again.json == {"created": 0, "updated": 0, "unchanged": 3, "errors": []}

    def test_writes_to_standard_output(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", category="Tools")
        factories.product(fresh_database, shop.company_id, sku="W-2", category="Food")

        outcome = distribu("product", "export", "--company", shop.slug, "--category", "Tools")

        assert (outcome.code, outcome.err) == (0, "")
        header, row = outcome.out.splitlines()
        assert header.startswith('\ufeff"sku","name"')
        assert row.startswith('"W-1",')

    def test_json_needs_a_file(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("product", "export", "--company", shop.slug, "--json")

        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.error == "--json needs --output FILE.csv, because the CSV is written to standard output."

    def test_a_file_is_replaced_only_when_it_is_complete(self, distribu: Command, shop: Tenant, tmp_path: Path) -> None:
        (tmp_path / "goods.csv").write_text("old")

        assert distribu("product", "export", "--company", "unknown", "-o", "goods.csv").code == 1
        assert (tmp_path / "goods.csv").read_text() == "old"
        assert distribu("product", "export", "--company", shop.slug, "-o", "goods.csv").code == 0
        assert (tmp_path / "goods.csv").read_text().startswith("\ufeff")
        assert [file.name for file in tmp_path.iterdir() if "goods" in file.name] == ["goods.csv"]

    def test_a_directory_that_does_not_exist(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("product", "export", "--company", shop.slug, "-o", "missing/goods.csv")

        assert outcome.code == 1
        assert "No such file or directory" in outcome.error
