"""Opening rows of products that are older than the ledger of stock (contract, section 9.3).

`distribu db upgrade` inserts them in batches while servers run, each batch in a separate transaction, and continues
where an earlier upgrade was interrupted. Until a product has its opening row, the triggers of revision 0009 write it
with the first change of its stock. So a product without one still has the stock that it had at that revision.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from app.context import now
from app.db import Database, retrying
from app.queries.rows import Row, Statement
from models import id_before

BATCH = 10_000  # products; their rows take about 0.2 s
PAUSE_SECONDS = 0.11  # between batches; a waiting writer of SQLite sleeps for 0.1 s between two attempts
OnProgress = Callable[[str, int, int], None]  # called with the name of the step, the completed amount and the total


class ProductBatchRow(Row):
    """A batch of products: its size, its last id, and how many products have no opening row."""

    size: int
    last_id: str | None
    missing: int


# A subquery for each row: PostgreSQL has no statistics on a table that is being filled, and could read all of it.
HAS_NO_OPENING = """(
    SELECT 1 FROM inventory_movements AS opening WHERE opening.company_id = products.company_id
    AND opening.product_id = products.id AND opening.sequence = 0) IS NULL"""
COUNT_PRODUCTS = sa.text("SELECT count(*) FROM products")
SELECT_BATCH = Statement(
    ProductBatchRow,
    sa.text(
        "SELECT count(*) AS size, max(id) AS last_id, coalesce(sum(missing), 0) AS missing FROM ("  # noqa: S608 - constants
        f" SELECT id, CASE WHEN {HAS_NO_OPENING} THEN 1 ELSE 0 END AS missing FROM products"
        f" WHERE id > :after ORDER BY id LIMIT {BATCH}) AS batch"
    ).columns(size=sa.BigInteger, last_id=sa.String, missing=sa.BigInteger),
)
# No product is locked. A concurrent transaction that changes one has written the opening row itself, or waits for this
# one. Orders write opening rows in the order of the ids too, so neither waits for a row of the other that comes later.
# An opening row has the time of the last change, which is not later than any movement of the product.
INSERT = f"""
    INSERT INTO inventory_movements (id, company_id, product_id, sequence, reason, delta, stock_before, stock_after,
        actor_type, actor_id, created_at)
    SELECT :id_prefix || {{random}}, company_id, id, 0, 'OPENING', stock, 0, stock, 'SYSTEM', 'upgrade', updated_at
    FROM products WHERE id > :after AND id <= :last AND movement_sequence = 0 AND {HAS_NO_OPENING}
    ORDER BY products.id ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
RANDOM = {
    "sqlite": "substr(lower(hex(randomblob(8))), 1, 15)",
    "postgresql": "substr(replace(CAST(gen_random_uuid() AS text), '-', ''), 1, 15)",
}
INSERT_OPENINGS = {name: sa.text(INSERT.format(random=random)) for name, random in RANDOM.items()}


def insert_missing(database: Database, on_progress: OnProgress = lambda *_: None) -> int:
    """Insert the opening row of each product that has none. Return their number."""
    with database.transaction() as session:
        total = session.execute(COUNT_PRODUCTS).scalar_one()
    count, done, after = 0, 0, ""
    while True:
        with database.transaction() as session:
            batch = SELECT_BATCH.one(session, {"after": after})
        if batch.last_id is None:
            return count
        if batch.missing:
            count += _insert(database, after, batch.last_id)
        after, done = batch.last_id, done + batch.size
        on_progress("Opening the ledger", done, max(done, total))


def _insert(database: Database, after: str, last: str) -> int:
    parameters = {"after": after, "last": last, "id_prefix": id_before(now())}

    def attempt() -> int:
        with database.transaction(write=True) as session:
            connection = session.connection()
            return connection.execute(INSERT_OPENINGS[connection.dialect.name], parameters).rowcount

    count = retrying(attempt)
    if database.is_sqlite:
        time.sleep(PAUSE_SECONDS)
    return count
