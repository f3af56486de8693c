"""Many connections read, so each keeps few pages in memory. One reads single rows, and one writes: they keep more."""

from pathlib import Path

from sqlalchemy import make_url

from app import sqlite


def test_a_reader_keeps_fewer_pages_than_the_event_loop_and_the_writer(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path}/file.sqlite3")
    (tmp_path / "file.sqlite3").touch()
    file = sqlite.OpenFile(tmp_path / "file.sqlite3")
    engines = (
        sqlite.reader(url, file, "NORMAL", pool_size=1, pool_seconds=1),
        sqlite.loop_reader(url, file, "NORMAL"),
        sqlite.writer(url, file, "NORMAL", pool_seconds=1, busy_seconds=1),
    )
    sizes = []
    for engine in engines:
        with engine.connect() as connection:
            sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())
        engine.dispose()

    assert sizes == [-500, -1_000, -4_000]
