"""mypy finds a column or field that does not exist, and `Any` stays at the edge where JSON comes in and goes out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

SOURCES = sorted(file for folder in ("app", "handlers", "models") for file in (ROOT / folder).rglob("*.py"))
MAX_ANY_PER_1000_LINES = 8
UNTYPED = re.compile(r"Row\[Any\]|Mapping\[str, Any\]|dict\[str, Any\]")
IMPORTS = """
from app.context import Context
from app.schemas.customers import CUSTOMER, CUSTOMER_UPDATE, CustomerCreate
from app.schemas.orders import OrderCreate, OrderItemCreate
from app.schemas.products import PRODUCT
from app.services import customers, orders, prices, products
"""
RIGHT = """
def right(ctx: Context) -> object:
    order, items, _ = orders.get(ctx, "c1")
    page = products.page(ctx, sku="A-1")
    draft = OrderCreate(customer_id="c1", items=[OrderItemCreate(product_id="c2", quantity=1)])
    customers.update(ctx, "c1", CUSTOMER_UPDATE.load({"name": None}))
    overrides = prices.list_all(ctx)
    return order.status, items[0].product_id, PRODUCT.render(page.rows[0]), draft.po_number, overrides[0].sku
"""
WRONG = {
    "a column of an order": 'orders.get(ctx, "c1")[0].statuss',
    "a column of an item": 'orders.get(ctx, "c1")[1][0].produkt_id',
    "a column of a row of a page": "products.page(ctx).rows[0].prise",
    "a column that only another statement yields": "prices.list_all(ctx)[0].low_stock_threshold",
    "a field of a draft": "draft.po_numbr",
    "a field of an item of a draft": "draft.items[0].produkt_id",
    "a field that a draft does not have": 'CustomerCreate(email="a@example.com", phone="1")',
    "a required field that is missing": 'CustomerCreate(name="Anna")',
    "null where it is not allowed": 'CustomerCreate(email=None, name="Anna")',
    "a row of another type": 'CUSTOMER.render(products.get(ctx, "c1"))',
    "a draft of another type": 'customers.create(ctx, CUSTOMER_UPDATE.load({"name": "Anna"}))',
    "a column that may be null": 'len(products.get(ctx, "c1").sku)',
}


def lines_with_errors(tmp_path: Path, source: str) -> set[int]:
    """Return the numbers of the lines that mypy rejects, with the settings of the project."""
    file = tmp_path / "snippet.py"
    file.write_text(source)
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", str(file)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in {0, 1}, result.stdout + result.stderr
    return {int(number) for number in re.findall(r"snippet\.py:(\d+): error", result.stdout)}


def test_mypy_finds_every_misspelt_column_and_field(tmp_path: Path) -> None:
    head = f"{IMPORTS}{RIGHT}\n\ndef wrong(ctx: Context, draft: OrderCreate) -> None:\n"
    first = head.count("\n") + 1
    source = head + "".join(f"    print({snippet})\n" for snippet in WRONG.values())

    assert lines_with_errors(tmp_path, source) == set(range(first, first + len(WRONG)))


def test_any_stays_at_the_edge() -> None:
    lines = [line for file in SOURCES for line in file.read_text().splitlines()]
    uses = [line for line in lines if re.search(r"\bAny\b", line)]

    assert len(uses) / len(lines) * 1000 <= MAX_ANY_PER_1000_LINES


@pytest.mark.parametrize("folder", ["services", "queries", "reports"])
def test_rows_and_drafts_are_typed(folder: str) -> None:
    files = [file.name for file in (ROOT / "app" / folder).rglob("*.py") if UNTYPED.search(file.read_text())]

    assert files == []
