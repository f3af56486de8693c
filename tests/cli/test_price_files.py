"""`distribu price import` and `price export`, on both databases."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from models import PriceOverride
from tests.cli.conftest import Command, Outcome, entries, listed
from tests.support import factories
from tests.support.factories import Tenant


class Files:
    """A company with two customers and two products, and methods to import and export prices."""

    def __init__(self, distribu: Command, shop: Tenant, database: Database, file: Path) -> None:
        self.distribu = distribu
        self.file = file
        self.shop = shop
        self.database = database
        company_id = shop.company_id
        self.anna = factories.customer(database, company_id, email="anna@example.com")
        self.ben = factories.customer(database, company_id, email="ben@example.com")
        self.flour = factories.product(database, company_id, sku="FLR", price=Decimal(9))
        self.loose = factories.product(database, company_id, sku=None, price=Decimal(5))

    def run(self, content: str, *arguments: str) -> Outcome:
        self.file.write_text(content)
        return self.distribu("price", "import", str(self.file), "--company", self.shop.slug, *arguments)

    def errors(self, content: str) -> list[tuple[int, str]]:
        """Return the errors of a file that is rejected as a whole."""
        outcome = self.run(content, "--json")
        assert outcome.code == 1
        assert factories.count(self.database, PriceOverride, self.shop.company_id) == 0
        return [(error["line"], error["error"]) for error in Files.parsed(outcome)["errors"]]

    @staticmethod
    def parsed(outcome: Outcome) -> Any:
        return Outcome(code=0, out=outcome.out, err=outcome.err).json

    def prices(self) -> list[tuple[str, str, float, list[tuple[int, float]]]]:
        return sorted(
            (
                row["customer"],
                row["productId"],
                row["price"],
                [(entry["minQuantity"], entry["price"]) for entry in row["priceBreaks"]],
            )
            for row in listed(self.distribu, "price", self.shop.slug)
        )


@pytest.fixture
def files(distribu: Command, shop: Tenant, fresh_database: Database, tmp_path: Path) -> Files:
    return Files(distribu, shop, fresh_database, tmp_path / "prices.csv")


class TestImport:
    def test_prices_are_created_updated_and_left(self, files: Files) -> None:
        first = files.run(
            "customer,product,price,priceBreaks\n"
            "anna@example.com,FLR,8.50,10=8.00;50=7.50\n"
            f" BEN@example.com ,{files.loose},4,\n"
            f"{files.ben},FLR,8,\n",
            "--json",
        )
        second = files.run("customer,product,price\nanna@example.com,FLR,8.25\nben@example.com,FLR,8\n", "--json")

        assert first.json == {"created": 3, "updated": 0, "unchanged": 0, "errors": []}
        assert second.json == {"created": 0, "updated": 1, "unchanged": 1, "errors": []}
        assert files.prices() == sorted(
            [
                ("anna@example.com", files.flour, 8.25, [(10, 8.0), (50, 7.5)]),
                ("ben@example.com", files.loose, 4.0, []),
                ("ben@example.com", files.flour, 8.0, []),
            ]
        )
        actions = [entry["action"] for entry in entries(files.distribu, files.shop.slug)]
        assert actions.count("price.set") == 4

    def test_an_empty_cell_keeps_the_price_breaks_unless_it_clears_them(self, files: Files) -> None:
        files.run("customer,product,price,priceBreaks\nanna@example.com,FLR,8.50,10=8.00\n")
        empty = "customer,product,price,priceBreaks\nanna@example.com,FLR,8.50,\n"

        kept = files.run(empty, "--json").json
        cleared = files.run(empty, "--clear-empty", "--json").json

        assert (kept["unchanged"], cleared["updated"]) == (1, 1)
        assert files.prices() == [("anna@example.com", files.flour, 8.5, [])]

    def test_without_their_column_price_breaks_are_never_cleared(self, files: Files) -> None:
        files.run("customer,product,price,priceBreaks\nanna@example.com,FLR,8.50,10=8.00\n")

        result = files.run("customer,product,price\nanna@example.com,FLR,8.50\n", "--clear-empty", "--json").json

        assert result["unchanged"] == 1
        assert files.prices() == [("anna@example.com", files.flour, 8.5, [(10, 8.0)])]

    def test_the_format_of_a_spreadsheet_is_detected(self, files: Files) -> None:
        outcome = files.run('Customer;Product;Price;Price breaks\nanna@example.com;FLR;8,50 €;"10=8,00;50=7,5"\n')

        assert outcome.code == 0
        assert files.prices() == [("anna@example.com", files.flour, 8.5, [(10, 8.0), (50, 7.5)])]

    def test_every_error_of_a_cell_is_reported_and_nothing_is_imported(self, files: Files) -> None:
        found = files.errors(
            "customer,product,price,priceBreaks\n"
            "anna@example.com,FLR,8.50,\n"
            ",FLR,free,\n"
            "anna@example.com,,-1.00,50=7;10=8\n"
            "ben@example.com,FLR,1.0050,10\n"
        )

        assert [line for line, _ in found] == [3, 3, 4, 4, 4, 5, 5]
        assert found[:4] == [
            (3, "customer is required"),
            (3, "price 'free' must be a number like 12.50"),
            (4, "product is required"),
            (4, "price '-1.00' must be at least 0"),
        ]
        assert "must be in ascending order of minQuantity: 10 comes after 50" in found[4][1]

    def test_unknown_names_and_repeated_prices_are_reported(self, files: Files, fresh_database: Database) -> None:
        other = factories.tenant(fresh_database)
        theirs = factories.customer(fresh_database, other.company_id, email="carl@example.com")

        found = files.errors(
            "customer,product,price\n"
            "anna@example.com,FLR,8\n"
            "carl@example.com,FLR,8\n"
            f"{theirs},FLR,8\n"
            "ben@example.com,NONE,8\n"
            f"{files.anna},{files.flour},7\n"
        )

        assert found == [
            (3, "customer 'carl@example.com' does not exist"),
            (4, f"customer '{theirs}' does not exist"),
            (5, "product 'NONE' does not exist"),
            (6, "line 2 already sets the price of this customer and product"),
        ]

    def test_errors_of_cells_hide_no_other_error(self, files: Files) -> None:
        found = files.errors(
            "customer,product,price\n"
            "none@example.com,NONE,8\n"
            "anna@example.com,FLR,free\n"
            "none@example.com,,8\n"
            f"{files.anna},{files.flour},7\n"
            ",NONE,-1\n"
            "anna@example.com,FLR,8,7\n"
            "ben@example.com,FLR,8\n"
        )

        assert found == [
            (2, "customer 'none@example.com' does not exist"),
            (2, "product 'NONE' does not exist"),
            (3, "price 'free' must be a number like 12.50"),
            (4, "product is required"),
            (4, "customer 'none@example.com' does not exist"),
            (5, "line 3 already sets the price of this customer and product"),
            (6, "customer is required"),
            (6, "price '-1' must be at least 0"),
            (6, "product 'NONE' does not exist"),
            (7, "there are 4 cells, but the header names 3 columns"),
        ]

    @pytest.mark.parametrize("character", ["\x00", "\x1b", "\x85"])
    def test_names_with_control_characters_are_errors_of_their_line(self, files: Files, character: str) -> None:
        found = files.errors(
            f"customer,product,price\nanna{character}@example.com,FLR,8\n{files.ben},F{character}R,8\nx@x.xx,FLR,8\n"
        )

        assert found == [
            (2, f"customer 'anna{character}@example.com' must not contain control characters"),
            (3, f"product 'F{character}R' must not contain control characters"),
            (4, "customer 'x@x.xx' does not exist"),
        ]

    def test_a_price_of_minus_zero_is_zero(self, files: Files) -> None:
        assert files.run('customer,product,price,priceBreaks\nanna@example.com,FLR,-0.00,"2=-0"\n').code == 0
        assert str(files.prices()) == str([("anna@example.com", files.flour, 0.0, [(2, 0.0)])])

    def test_a_file_without_a_required_column_is_rejected(self, files: Files) -> None:
        outcome = files.run("customer,price\nanna@example.com,8\n")

        assert outcome.code == 1
        assert "there is no column for product" in outcome.err
        assert outcome.err.endswith("Nothing was imported. Correct the errors and run the command again.\n")

    def test_columns_with_other_names_are_mapped(self, files: Files) -> None:
        renamed = "Kunde;Artikel;Preis\nanna@example.com;FLR;8,50\n"
        options = ("--map", "Kunde=customer", "--map", "Artikel=product", "--map", "Preis=price")

        assert "add --map THEIRS=OURS" in files.run(renamed).err
        assert files.run(renamed, *options).code == 0
        assert files.prices() == [("anna@example.com", files.flour, 8.5, [])]

    def test_unknown_columns_are_named_and_with_strict_the_file_is_rejected(self, files: Files) -> None:
        content = "customer,product,price,Lager\nanna@example.com,FLR,8.50,A3\n"

        strict, lenient = files.run(content, "--strict"), files.run(content)

        assert (strict.code, lenient.code) == (1, 0)
        assert "unknown columns: 'Lager'" in strict.err
        assert "Unknown columns were not imported: 'Lager'." in lenient.err

    def test_a_column_is_mapped_to_one_of_a_file_of_prices(self, files: Files) -> None:
        outcome = files.run("customer,product,price\n", "--map", "Name=name")

        assert outcome.code == 2
        assert "'Name=name' is not THEIRS=OURS with one of customer, product, price, priceBreaks." in outcome.err

    def test_more_rows_than_a_batch_are_imported_and_exported(self, files: Files, fresh_database: Database) -> None:
        products = factories.products(fresh_database, files.shop.company_id, 1001)
        rows = "".join(f"anna@example.com,{product},{number}.50\n" for number, product in enumerate(products))

        outcome = files.run("customer,product,price\n" + rows, "--json")

        assert outcome.json["created"] == 1001
        assert factories.count(fresh_database, PriceOverride, files.shop.company_id) == 1001
        exported = files.distribu("price", "export", "--company", files.shop.slug).out
        assert exported.count("anna@example.com") == 1001
        assert files.run(exported, "--json").json["unchanged"] == 1001


class TestExport:
    def test_an_import_reads_the_file_back(self, files: Files) -> None:
        files.run(
            f"customer,product,price,priceBreaks\nanna@example.com,FLR,8.50,10=8.00;50=7.50\n{files.ben},FLR,8,\n"
        )
        files.run(f"customer,product,price\nben@example.com,{files.loose},4\n")
        before = files.prices()

        exported = files.distribu("price", "export", "--company", files.shop.slug, "-o", "out.csv", "--json")
        again = files.distribu("price", "import", "out.csv", "--company", files.shop.slug, "--clear-empty", "--json")

        assert exported.json == {"exported": 3}
        assert again.json == {"created": 0, "updated": 0, "unchanged": 3, "errors": []}
        assert files.prices() == before

    def test_it_writes_to_standard_output(self, files: Files) -> None:
        files.run("customer,product,price,priceBreaks\nanna@example.com,FLR,8.50,10=8.00;50=7.50\n")

        outcome = files.distribu("price", "export", "--company", files.shop.slug)

        assert (outcome.code, outcome.err) == (0, "")
        header, row = outcome.out.splitlines()
        assert header == '\ufeff"customer","product","price","priceBreaks"'
        assert row == '"anna@example.com","FLR",8.50,"10=8.00;50=7.50"'

    def test_a_file_that_cannot_be_written_is_named(self, files: Files) -> None:
        outcome = files.distribu("price", "export", "--company", files.shop.slug, "-o", "none/prices.csv")

        assert (outcome.code, outcome.error) == (1, "none/prices.csv: No such file or directory.")

    def test_json_needs_a_file(self, files: Files) -> None:
        outcome = files.distribu("price", "export", "--company", files.shop.slug, "--json")

        assert outcome.error == "--json needs --output FILE.csv, because the CSV is written to standard output."
