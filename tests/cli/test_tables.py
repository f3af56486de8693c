"""Tables fit the terminal, and no id, time or address in them is ever broken."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from app.cli import tables

ID = "c0mwx8kve88butn4ou5qyiodr"
ROWS = [
    {
        "email": "office@rosengarten-catering.example",
        "name": "Rosengarten Catering and Events",
        "id": ID,
        "createdAt": "2026-11-26T07:33:59.408Z",
    },
    {"email": "a@b.example", "name": "新鮮な食品の卸売業者", "id": ID[::-1], "createdAt": "2026-11-26T07:33:59.409Z"},
]


def printed(width: int, rows: list[dict[str, str]] = ROWS) -> tuple[str, list[str]]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    hidden = tables.print_rows(console, rows, set())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), hidden


@pytest.mark.parametrize("width", [20, 40, 60, 72, 80, 100, 120, 160, 10_000])
def test_ids_are_never_broken(width: int) -> None:
    table, hidden = printed(width)

    for row in ROWS:
        for name in {"email", "id", "createdAt"} - set(hidden) if width >= 40 else ():
            assert row[name] in table


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 160])
def test_lines_fit_the_terminal(width: int) -> None:
    table, _ = printed(width)

    assert max(cell_len(line) for line in table.splitlines()) <= width


def test_columns_are_dropped_from_the_right_except_the_id() -> None:
    assert printed(10_000)[1] == []
    assert printed(100)[1] == ["createdAt"]
    assert printed(80)[1] == ["name", "createdAt"]
    assert printed(40)[1] == ["email", "name", "createdAt"]


def test_a_very_long_word_is_folded() -> None:
    table, _ = printed(80, [{"id": ID, "url": "https://example.com/" + "z" * 200}])

    assert ID in table
    assert table.count("z") == 200


def test_a_record_fits_only_with_room_for_all_columns() -> None:
    wide, narrow = Console(width=10_000), Console(width=60)

    assert tables.fits(wide, ROWS)
    assert not tables.fits(narrow, ROWS)
