"""The indexes that find a part of a text, where the database can have them: FTS5 on SQLite, pg_trgm on PostgreSQL.

Each is a table `search_…` of its own, which triggers keep: an index on the searched table itself would be written anew
whenever a stock changes. They are no part of the schema's revisions, because whether a database can have them may
change; after a revision they are made anew, whatever it did to the searched tables and their triggers.
Not here: how they are asked (`app/queries/search.py`).
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

SEARCHED = ("products", "customers")
FTS5 = sa.text("SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_FTS5'")
PG_TRGM = sa.text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
SCHEMA = sa.text("SELECT quote_ident(current_schema())")
PG_TRGM_SCHEMA = sa.text(
    "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace AS schema ON schema.oid = extnamespace"
    " WHERE extname = 'pg_trgm' AND has_schema_privilege(schema.oid, 'USAGE')"
)

# Without a copy of the texts. VACUUM may renumber the rows of a table, so they get numbers that stay.
SQLITE = (
    "DROP TABLE IF EXISTS search_{table}",
    "DROP TABLE IF EXISTS search_{table}_rows",
    "DROP TRIGGER IF EXISTS search_{table}_insert",
    "DROP TRIGGER IF EXISTS search_{table}_update",
    "DROP TRIGGER IF EXISTS search_{table}_delete",
    "CREATE TABLE search_{table}_rows (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    """CREATE VIRTUAL TABLE search_{table} USING fts5
        (search_text, content='', detail=none, tokenize='trigram case_sensitive 1')""",
    """CREATE TRIGGER search_{table}_insert AFTER INSERT ON {table}
        WHEN NOT EXISTS (SELECT 1 FROM search_{table}_rows WHERE id = new.id) BEGIN
        INSERT INTO search_{table}_rows (id) VALUES (new.id);
        INSERT INTO search_{table} (rowid, search_text)
            SELECT number, new.search_text FROM search_{table}_rows WHERE id = new.id;
        END""",
    """CREATE TRIGGER search_{table}_update AFTER UPDATE OF search_text ON {table}
        WHEN old.search_text IS NOT new.search_text BEGIN
        INSERT INTO search_{table} (search_{table}, rowid, search_text)
            SELECT 'delete', number, old.search_text FROM search_{table}_rows WHERE id = new.id;
        INSERT INTO search_{table} (rowid, search_text)
            SELECT number, new.search_text FROM search_{table}_rows WHERE id = new.id;
        END""",
    """CREATE TRIGGER search_{table}_delete AFTER DELETE ON {table} BEGIN
        INSERT INTO search_{table} (search_{table}, rowid, search_text)
            SELECT 'delete', number, old.search_text FROM search_{table}_rows WHERE id = old.id;
        DELETE FROM search_{table}_rows WHERE id = old.id;
        END""",
    "INSERT INTO search_{table}_rows (id) SELECT id FROM {table} ORDER BY id",
    """INSERT INTO search_{table} (rowid, search_text)
        SELECT number, search_text FROM search_{table}_rows JOIN {table} USING (id) ORDER BY number""",
)
# The entry of a row that is about to be inserted, and its removal when the row is not there after all.
PREPARE = (
    "INSERT INTO search_{table}_rows (id) VALUES (:id)",
    """INSERT INTO search_{table} (rowid, search_text)
        SELECT number, :search_text FROM search_{table}_rows WHERE id = :id""",
)
WITHDRAW = (
    """INSERT INTO search_{table} (search_{table}, rowid, search_text)
        SELECT 'delete', number, :search_text FROM search_{table}_rows
        WHERE id = :id AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = :id)""",
    "DELETE FROM search_{table}_rows WHERE id = :id AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = :id)",
)
# Functions of earlier versions, which found their tables by the search path alone.
OUTDATED = sa.text(
    "SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace(quote_ident(current_schema()))"
    " AND proname IN ('search_products', 'search_customers') AND strpos(prosrc, 'TG_WHEN') = 0"
)
# The triggers come before the copy: whoever writes waits from then on until all is done. The last one ignores what does
# not come from the others: a restore copies the texts and fires the triggers too. Restoring empties the search path, so
# names have their schema.
POSTGRESQL = (
    "DROP FUNCTION IF EXISTS {schema}.search_{table} CASCADE",
    "DROP TABLE IF EXISTS {schema}.search_{table}",
    """CREATE TABLE {schema}.search_{table} (id varchar(25) COLLATE "C" PRIMARY KEY, search_text text NOT NULL)""",
    """CREATE FUNCTION {schema}.search_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_WHEN = 'BEFORE' THEN RETURN NULL; END IF;
        IF TG_OP <> 'INSERT' THEN DELETE FROM {schema}.search_{table} WHERE id = OLD.id; END IF;
        IF TG_OP <> 'DELETE' THEN INSERT INTO {schema}.search_{table} VALUES (NEW.id, NEW.search_text); END IF;
        RETURN NULL;
        END $$""",
    """CREATE TRIGGER search_{table} AFTER INSERT OR DELETE ON {schema}.{table}
        FOR EACH ROW EXECUTE FUNCTION {schema}.search_{table}()""",
    """CREATE TRIGGER search_{table}_update AFTER UPDATE OF search_text ON {schema}.{table} FOR EACH ROW
        WHEN (OLD.search_text IS DISTINCT FROM NEW.search_text) EXECUTE FUNCTION {schema}.search_{table}()""",
    "INSERT INTO {schema}.search_{table} SELECT id, search_text FROM {schema}.{table}",
    """CREATE INDEX search_{table}_search_text ON {schema}.search_{table}
        USING gin (search_text {pg_trgm}.gin_trgm_ops)""",
    """CREATE TRIGGER search_{table}_only BEFORE INSERT ON {schema}.search_{table} FOR EACH ROW
        WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION {schema}.search_{table}()""",
)


def name(table: str) -> str:
    """Return the name of the index of a table."""
    return f"search_{table}"


def exists(connection: Connection) -> bool:
    """Tell whether the database has the indexes."""
    there = sa.inspect(connection)
    return all(there.has_table(name(table)) for table in SEARCHED)


def ensure(connection: Connection, *, anew: bool) -> bool:
    """Make the indexes, those that are there only when `anew`; tell whether the database has them now."""
    return (_ensure_fts5 if connection.dialect.name == "sqlite" else _ensure_pg_trgm)(connection, anew=anew)


def prepare(connection: Connection, table: str, texts: Mapping[str, str]) -> None:
    """Make the entries of rows that are about to be inserted, by id: on SQLite, they cost most of an insertion."""
    _for_each(connection, PREPARE, table, texts)


def withdraw(connection: Connection, table: str, texts: Mapping[str, str]) -> None:
    """Remove the entries of rows that were not inserted after all; those of rows that are there stay."""
    _for_each(connection, WITHDRAW, table, texts)


def _for_each(connection: Connection, statements: Sequence[str], table: str, texts: Mapping[str, str]) -> None:
    if not texts or connection.dialect.name != "sqlite" or not exists(connection):
        return
    rows = [{"id": row_id, "search_text": text} for row_id, text in texts.items()]
    for statement in statements:
        connection.execute(sa.text(statement.format(table=table)), rows)


def _ensure_fts5(connection: Connection, *, anew: bool) -> bool:
    if exists(connection) and not anew:
        return True
    if not connection.scalar(FTS5):
        return False
    _execute(connection, SQLITE)
    return True


def _ensure_pg_trgm(connection: Connection, *, anew: bool) -> bool:
    if exists(connection) and not anew and not connection.scalar(OUTDATED):
        return True
    pg_trgm = _pg_trgm(connection)
    if pg_trgm is None:
        return False
    _execute(connection, POSTGRESQL, schema=connection.scalar(SCHEMA), pg_trgm=pg_trgm)
    return True


def _execute(connection: Connection, statements: Sequence[str], **names: str) -> None:
    for table in SEARCHED:
        for statement in statements:
            connection.exec_driver_sql(statement.format(table=table, **names))


def _pg_trgm(connection: Connection) -> str | None:
    """Return the schema of pg_trgm, if it is in reach; any role that may make schemas in the database may make it."""
    if not connection.scalar(PG_TRGM):
        return None
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.ProgrammingError:  # permission denied
        return None
    schema: str | None = connection.scalar(PG_TRGM_SCHEMA)
    return schema
