"""The statements of a page of products, and the plan of each."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event

from app.db import Database
from app.services import products
from tests.support import factories

INDEXED = re.compile(r"Index (Only )?Scan|USING (COVERING )?INDEX")
LITERAL = re.compile(r"'[^']*'::[a-z ]+")
COSTLY = re.compile(r"Sort|TEMP B-TREE|Seq Scan|Bitmap|^SCAN", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of one statement in the words of the database, without its parameters."""

    text: str

    @property
    def is_good(self) -> bool:
        """Return True if rows come from an index in the requested ordering: no sort, no scan of the table."""
        return bool(INDEXED.search(self.text)) and not COSTLY.search(self.text)


def of_page(database: Database, company_id: str, **query: Any) -> list[Plan]:
    """Return the plan of each statement of the page that `query` selects, without BEGIN."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    with database.transaction() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        products.page(factories.context(session, company_id), **query)
        event.remove(connection, "before_cursor_execute", note)
        return [_explain(connection, statement, parameters) for statement, parameters in seen]


def _explain(connection: Connection, statement: str, parameters: Any) -> Plan:
    is_sqlite = connection.dialect.name == "sqlite"
    prefix = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (COSTS OFF) "
    rows = connection.exec_driver_sql(prefix + statement, parameters)
    return Plan(text=LITERAL.sub("?", "\n".join(row[-1] for row in rows)))
