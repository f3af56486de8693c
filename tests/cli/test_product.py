"""`distribu product`. The rules for a row are in tests/product_import/test_product_csv.py."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from app.schemas.products import PRODUCT
from app.services import products
from tests.cli.conftest import Command, dump, entries, listed
from tests.support import factories
from tests.support.factories import Tenant

HEADER = b"sku,name,description,category,unit,price,stock,isActive\n"
ROWS = HEADER + b"W-1,Widget,Small,Hardware,box,8.50,42,yes\nW-2,Gadget,,,,9,,\n"


class TestImport:
    def run(self, distribu: Command, shop: Tenant, content: bytes, *more: str) -> Any:
        return distribu("product", "import", "-", "--company", shop.slug, *more, stdin=content)

    def test_counts_created_updated_and_unchanged_products(self, distribu: Command, shop: Tenant) -> None:
        first = self.run(distribu, shop, ROWS, "--json").json
        again = self.run(distribu, shop, ROWS, "--json").json
        changed = self.run(distribu, shop, b"sku,name,price\nW-1,Widget,8.5\nW-2,Gizmo,9\nW-3,New,1\n", "--json").json

        assert first == {"created": 2, "updated": 0, "unchanged": 0, "errors": []}
        assert list(first) == ["created", "updated", "unchanged", "errors"]
        assert again == {"created": 0, "updated": 0, "unchanged": 2, "errors": []}
        assert changed == {"created": 1, "updated": 1, "unchanged": 1, "errors": []}

    def test_reads_a_file(self, distribu: Command, shop: Tenant, tmp_path: Path) -> None:
        (tmp_path / "goods.csv").write_bytes(b"\xef\xbb\xbf" + ROWS)

        outcome = distribu("product", "import", "goods.csv", "--company", shop.slug)

        assert outcome.code == 0
        assert "Created" in outcome.out
        assert outcome.err == ""
        by_sku = {product["sku"]: product for product in listed(distribu, "product", shop.slug)}
        assert {name: by_sku["W-1"][name] for name in ("name", "description", "category", "unit")} == {
            "name": "Widget",
            "description": "Small",
            "category": "Hardware",
            "unit": "box",
        }
        assert (by_sku["W-1"]["price"], by_sku["W-1"]["stock"], by_sku["W-1"]["isActive"]) == (8.5, 42, True)
        assert (by_sku["W-2"]["unit"], by_sku["W-2"]["stock"], by_sku["W-2"]["isActive"]) == ("each", 0, True)
        assert (by_sku["W-2"]["description"], by_sku["W-2"]["category"]) == (None, None)

    def test_nothing_is_imported_if_a_row_is_wrong(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        rows = b"".join(b"S-%d,Item,1\n" % number for number in range(1200))
        before = dump(fresh_database)

        outcome = self.run(distribu, shop, b"sku,name,price\n" + rows + b"S-3,Item,-1\n", "--json")

        assert outcome.code == 1
        assert json.loads(outcome.out) == {
            "created": 0,
            "updated": 0,
            "unchanged": 0,
            "errors": [
                {"line": 1202, "error": "price '-1' must be at least 0"},
                {"line": 1202, "error": "sku 'S-3' is already on line 5"},
            ],
        }
        assert dump(fresh_database) == before

    def test_errors_name_their_lines_and_what_to_do(self, distribu: Command, shop: Tenant) -> None:
        outcome = self.run(distribu, shop, b"sku,name,price\nA,,x\n")

        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.splitlines() == [
            "line 2: name is required",
            "line 2: price 'x' must be a number like 12.50",
            "Nothing was imported. Correct the errors and run the command again.",
        ]

    def test_an_ambiguity_is_one_line_that_names_the_option(self, distribu: Command, shop: Tenant) -> None:
        content = "Art.-Nr.;Name;Preis;Farbe\r\nA;Schlüssel;1.234;rot\r\n".encode("cp1252")
        given: list[str] = []

        def said() -> str:
            outcome = self.run(distribu, shop, content, *given)
            first, last = outcome.err.splitlines()
            assert (outcome.code, last) == (1, "Nothing was imported. Correct the errors and run the command again.")
            return str(first)

        assert "reads 'A;Schlüssel;1.234;rot'. If that is correct, add --encoding windows-1252" in said()
        given += ["--encoding", "windows-1252"]
        assert "To use another name, add --map THEIRS=OURS" in said()
        given += ["--map", "Art.-Nr.=sku", "--map", "preis=PRICE"]
        assert "price '1.234' is 1.234 (--decimal point) or 1234 (--decimal comma)" in said()
        given += ["--decimal", "comma"]
        assert self.run(distribu, shop, content, *given).err == "Unknown columns were not imported: 'Farbe'.\n"
        assert [(product["name"], product["price"]) for product in listed(distribu, "product", shop.slug)] == [
            ("Schlüssel", 1234)
        ]
        given += ["--strict"]
        assert "unknown columns: 'Farbe'" in said()

    @pytest.mark.parametrize("delimiter", ["~", "tab", "\\t", "\t", ",", "comma", "|", "pipe", "semicolon", ";"])
    def test_a_delimiter_can_be_given_by_its_name(self, distribu: Command, shop: Tenant, delimiter: str) -> None:
        sign = {"tab": "\t", "\\t": "\t", "comma": ",", "pipe": "|", "semicolon": ";"}.get(delimiter, delimiter)
        content = f"sku{sign}name{sign}price\nA{sign}B{sign}1\n".encode()

        assert self.run(distribu, shop, content, "--delimiter", delimiter, "--json").json["created"] == 1

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--delimiter", "xx"),
            ("--delimiter", "a"),
            ("--delimiter", '"'),
            ("--decimal", ";"),
            ("--encoding", "klingon"),
            ("--encoding", "rot13"),
            ("--encoding", "idna"),
            ("--map", "Preis"),
            ("--map", "=price"),
            ("--map", "_ =price"),
            ("--map", "Preis=colour"),
        ],
    )
    def test_an_invalid_option_is_rejected(self, distribu: Command, shop: Tenant, option: str, value: str) -> None:
        outcome = self.run(distribu, shop, ROWS, option, value)

        assert outcome.code == 2
        assert outcome.error.startswith(f"Invalid value for '{option}': '{value}' is ")

    def test_messages_stop_at_50_errors_and_json_has_all(self, distribu: Command, shop: Tenant) -> None:
        content = b"sku,name,price\n" + b"".join(b"S-%d,Item,free\n" % number for number in range(60))

        shown = self.run(distribu, shop, content).err.splitlines()
        errors = json.loads(self.run(distribu, shop, content, "--json").out)["errors"]

        assert len(shown) == 52
        assert shown[50] == "... and 10 more"
        assert [error["line"] for error in errors] == list(range(2, 62))

    def test_is_audited_only_when_something_changed(self, distribu: Command, shop: Tenant) -> None:
        self.run(distribu, shop, ROWS)
        self.run(distribu, shop, ROWS)
        self.run(distribu, shop, b"sku,name,price\nW-1,Widget,-1\n")
        self.run(distribu, shop, b"sku,name,price\nW-1,Widget,8.5\nW-2,Gizmo,9\n")

        imported = [entry for entry in entries(distribu, shop.slug) if entry["action"] == "product.imported"]
        assert [entry["metadata"] for entry in imported] == [
            {"created": 0, "updated": 1, "unchanged": 1},
            {"created": 2, "updated": 0, "unchanged": 0},
        ]
        assert {(entry["entityType"], entry["entityId"]) for entry in imported} == {("company", shop.company_id)}

    def test_every_changed_product_is_audited(self, distribu: Command, shop: Tenant) -> None:
        self.run(distribu, shop, ROWS)
        self.run(distribu, shop, b"sku,name,price\nW-1,Widget,8.5\nW-2,Gizmo,9\n")

        by_sku = {product["sku"]: product["id"] for product in listed(distribu, "product", shop.slug)}
        (updated,) = [entry for entry in entries(distribu, shop.slug) if entry["action"] == "product.updated"]
        created = [entry for entry in entries(distribu, shop.slug) if entry["action"] == "product.created"]
        assert (updated["entityType"], updated["entityId"]) == ("product", by_sku["W-2"])
        assert updated["metadata"] == {"before": {"name": "Gadget"}, "after": {"name": "Gizmo"}}
        assert updated["actorType"] == "USER"
        assert {entry["entityId"] for entry in created} == set(by_sku.values())
        assert [entry["metadata"]["after"]["price"] for entry in created] == [9.0, 8.5]

    def test_an_empty_cell_keeps_the_value_without_clear_empty(self, distribu: Command, shop: Tenant) -> None:
        self.run(distribu, shop, HEADER + b"W-1,Widget,Small,Hardware,box,8.50,77,no\n")
        empty = HEADER + b"W-1,Widget,,,,8.50,,\n"

        unchanged = self.run(distribu, shop, empty, "--json").json
        (kept,) = listed(distribu, "product", shop.slug)
        cleared = self.run(distribu, shop, empty, "--clear-empty", "--json").json
        (after,) = listed(distribu, "product", shop.slug)

        assert (unchanged["unchanged"], cleared["updated"]) == (1, 1)
        assert (kept["description"], kept["category"], kept["unit"]) == ("Small", "Hardware", "box")
        assert (kept["stock"], kept["isActive"]) == (77, False)
        assert (after["description"], after["category"], after["unit"]) == (None, None, "each")
        assert (after["stock"], after["isActive"]) == (0, True)

    def test_a_dry_run_prints_the_changes_and_changes_nothing(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        self.run(distribu, shop, ROWS)
        before = dump(fresh_database)
        content = b"sku,name,price,stock\nW-1,Widget,8.5,40\nW-2,Gadget,9,\nW-3,New,1,2\n"

        shown = self.run(distribu, shop, content, "--dry-run")
        preview = self.run(distribu, shop, content, "--dry-run", "--json").json

        assert shown.code == 0
        rows = [" ".join(line.split()) for line in shown.out.splitlines()]
        assert "W-1 updated stock 42 stock 40" in rows
        assert any(row.startswith("W-3 created") for row in rows)
        assert not any(row.startswith("W-2") for row in rows)
        assert shown.err == "Nothing was imported. Run the command without --dry-run to import.\n"
        made: dict[str, Any] = {"sku": "W-3", "name": "New", "description": None, "category": None}
        made |= {"unit": "each", "price": 1.0, "stock": 2, "isActive": True}
        made |= {"externalId": None, "barcode": None, "lowStockThreshold": 5, "imageUrl": None}
        made |= {"priceBreaks": [], "minOrderQuantity": None, "orderMultiple": None, "maxOrderQuantity": None}
        assert preview == {
            "created": 1,
            "updated": 1,
            "unchanged": 1,
            "errors": [],
            "changes": [
                {"sku": "W-1", "action": "updated", "before": {"stock": 42}, "after": {"stock": 40}},
                {"sku": "W-3", "action": "created", "before": None, "after": made},
            ],
        }
        assert dump(fresh_database) == before

    def test_a_dry_run_of_a_wrong_file_prints_its_errors(self, distribu: Command, shop: Tenant) -> None:
        outcome = self.run(distribu, shop, b"sku,name,price\nA,Widget,-1\n", "--dry-run")

        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith("line 2: price")

    def test_a_large_file_is_imported(self, distribu: Command, shop: Tenant) -> None:
        rows = b"".join(b'S-%d,"Item, the %dth",%d.25\n' % (number, number, number) for number in range(5000))

        assert self.run(distribu, shop, b"sku,name,price\n" + rows, "--json").json["created"] == 5000
        assert len(listed(distribu, "product", shop.slug, "--limit", "0")) == 5000

    def test_products_of_another_company_do_not_change(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        factories.product(fresh_database, other.company_id, sku="W-1", name="Theirs")

        assert self.run(distribu, shop, ROWS, "--json").json["created"] == 2
        assert [product["name"] for product in listed(distribu, "product", other.slug)] == ["Theirs"]

    def test_an_unknown_company_is_rejected(self, distribu: Command) -> None:
        outcome = distribu("product", "import", "-", "--company", "unknown", stdin=ROWS)

        assert outcome.error == "Company 'unknown' not found."
        assert outcome.code == 1


class TestList:
    def test_json_equals_that_of_the_api(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        product_id = factories.product(fresh_database, shop.company_id, price=Decimal("1.10"))

        (product,) = listed(distribu, "product", shop.slug)

        with fresh_database.transaction() as session:
            row = products.get(factories.context(session, shop.company_id), product_id)
        assert product == PRODUCT.render(row)
        assert list(product) == list(PRODUCT.render(row))

    @pytest.mark.parametrize(("limit", "expected"), [(None, 50), ("120", 120), ("0", 230), ("999", 230)])
    def test_lists_as_many_products_as_the_limit_says(
        self, distribu: Command, shop: Tenant, fresh_database: Database, limit: str | None, expected: int
    ) -> None:
        made = factories.products(fresh_database, shop.company_id, 230)
        newest_first = sorted(made, reverse=True)

        found = listed(distribu, "product", shop.slug, *(["--limit", limit] if limit else []))

        assert [product["id"] for product in found] == newest_first[:expected]

    def test_filters_products(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        factories.product(fresh_database, shop.company_id, name="Äpfel", category="Obst", sku="Ä-1", barcode="96385074")
        factories.product(fresh_database, shop.company_id, name="Nägel", is_active=False, external_id="ERP-1", stock=6)

        def names(*options: str) -> list[str]:
            return [product["name"] for product in listed(distribu, "product", shop.slug, *options)]

        assert names("--search", "ÄPF") == ["Äpfel"]
        assert names("--category", "Obst") == ["Äpfel"]
        assert names("--sku", "Ä-1") == ["Äpfel"]
        assert names("--barcode", "96385074") == ["Äpfel"]
        assert names("--external-id", " ERP-1") == ["Nägel"]
        assert names("--low-stock") == ["Äpfel"]
        assert names("--not-low-stock") == ["Nägel"]
        assert names("--active") == ["Äpfel"]
        assert names("--inactive") == ["Nägel"]

    def test_the_table_is_limited_and_a_message_says_so(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        factories.product(fresh_database, shop.company_id, name="Older", created_at=at)
        factories.product(fresh_database, shop.company_id, name="Evil \x1b[31m name", price=Decimal(9))

        outcome = distribu("product", "list", "--company", shop.slug, "--limit", "1")

        assert "Older" not in outcome.out
        assert "9.00" in outcome.out
        assert "\x1b" not in outcome.out
        assert outcome.err == "There are more than 1. Use --limit 0 to list all.\n"
