"""The indexes for substring search, if the database supports them: FTS5 on SQLite, pg_trgm on PostgreSQL.

1. Each index is a separate table `search_…` that triggers maintain: an index on the searched table itself would be
   updated with every stock change.
2. The indexes are not part of the schema's revisions, because a database may gain or lose support for them. They are
   rebuilt if one of their triggers is missing or different, for example after a revision that replaced a table.

Not in this module: how they are queried (`app/queries/search.py`).
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

SEARCHED = ("products", "customers")
SELECT_HAS_FTS5 = sa.text("SELECT count(*) FROM pragma_compile_options WHERE compile_options = 'ENABLE_FTS5'")
SELECT_HAS_PG_TRGM = sa.text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
SELECT_SCHEMA = sa.text("SELECT quote_ident(current_schema())")
SELECT_PG_TRGM_SCHEMA = sa.text(
    "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace AS schema ON schema.oid = extnamespace"
    " WHERE extname = 'pg_trgm' AND has_schema_privilege(schema.oid, 'USAGE')"
)

# The index has no copy of the texts. VACUUM may renumber the rows of a table, so a second table has permanent numbers.
CREATE_FTS5 = (
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
INSERT_ENTRY = (
    "INSERT INTO search_{table}_rows (id) VALUES (:id)",
    """INSERT INTO search_{table} (rowid, search_text)
        SELECT number, :search_text FROM search_{table}_rows WHERE id = :id""",
)
DELETE_ENTRY_WITHOUT_ROW = (
    """INSERT INTO search_{table} (search_{table}, rowid, search_text)
        SELECT 'delete', number, :search_text FROM search_{table}_rows
        WHERE id = :id AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = :id)""",
    "DELETE FROM search_{table}_rows WHERE id = :id AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = :id)",
)
SELECT_FTS5 = sa.text("SELECT sql FROM sqlite_master")
SELECT_PG_TRGM = sa.text(
    "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgenabled = 'O'"
    " AND pronamespace = to_regnamespace(quote_ident(current_schema()))"
)
CREATE_PG_TRGM_FUNCTION = """CREATE FUNCTION {schema}.search_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_WHEN = 'BEFORE' THEN RETURN NULL; END IF;
        IF TG_OP <> 'INSERT' THEN DELETE FROM {schema}.search_{table} WHERE id = OLD.id; END IF;
        IF TG_OP <> 'DELETE' THEN INSERT INTO {schema}.search_{table} VALUES (NEW.id, NEW.search_text); END IF;
        RETURN NULL;
        END $$"""
# The triggers come before the copy: from then on, writers wait until the index is complete. The last trigger ignores
# insertions that do not come from the other triggers: a restore copies the texts and fires the triggers as well. A
# restore empties the search path, so names are qualified with their schema.
CREATE_PG_TRGM = (
    "DROP FUNCTION IF EXISTS {schema}.search_{table} CASCADE",
    "DROP TABLE IF EXISTS {schema}.search_{table}",
    """CREATE TABLE {schema}.search_{table} (id varchar(25) COLLATE "C" PRIMARY KEY, search_text text NOT NULL)""",
    CREATE_PG_TRGM_FUNCTION,
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
    """Return whether the database has the indexes."""
    inspector = sa.inspect(connection)
    return all(inspector.has_table(name(table)) for table in SEARCHED)


def ensure(connection: Connection) -> bool:
    """Create the indexes unless they exist with all their triggers. Return whether the database has them now."""
    return _ensure_fts5(connection) if connection.dialect.name == "sqlite" else _ensure_pg_trgm(connection)


def prepare(connection: Connection, table: str, texts: Mapping[str, str]) -> None:
    """Insert the entries of rows, by id, before the rows: on SQLite, they are most of the cost of an insertion."""
    _for_each(connection, INSERT_ENTRY, table, texts)


def withdraw(connection: Connection, table: str, texts: Mapping[str, str]) -> None:
    """Delete prepared entries whose rows were not inserted."""
    _for_each(connection, DELETE_ENTRY_WITHOUT_ROW, table, texts)


def _for_each(connection: Connection, statements: Sequence[str], table: str, texts: Mapping[str, str]) -> None:
    if not texts or connection.dialect.name != "sqlite" or not exists(connection):
        return
    rows = [{"id": row_id, "search_text": text} for row_id, text in texts.items()]
    for statement in statements:
        connection.execute(sa.text(statement.format(table=table)), rows)


def _ensure_fts5(connection: Connection) -> bool:
    definitions = {statement for statement in _format(CREATE_FTS5) if statement.startswith("CREATE ")}
    if definitions <= set(connection.scalars(SELECT_FTS5)):
        return True
    if not connection.scalar(SELECT_HAS_FTS5):
        return False
    _execute(connection, CREATE_FTS5)
    return True


def _ensure_pg_trgm(connection: Connection) -> bool:
    schema = str(connection.scalar(SELECT_SCHEMA))
    stored = {(name, body) for name, body in connection.execute(SELECT_PG_TRGM)}
    if exists(connection) and _pg_trgm_triggers(schema) <= stored:
        return True
    pg_trgm = _pg_trgm(connection)
    if pg_trgm is None:
        return False
    _execute(connection, CREATE_PG_TRGM, schema=schema, pg_trgm=pg_trgm)
    return True


def _pg_trgm_triggers(schema: str) -> set[tuple[str, str]]:
    """Return the names of the triggers, each with the body of its function."""
    bodies = [statement.split("$$")[1] for statement in _format([CREATE_PG_TRGM_FUNCTION], schema=schema)]
    return {
        (f"search_{table}{suffix}", body)
        for table, body in zip(SEARCHED, bodies, strict=True)
        for suffix in ("", "_update", "_only")
    }


def _execute(connection: Connection, statements: Sequence[str], **names: str) -> None:
    for statement in _format(statements, **names):
        connection.exec_driver_sql(statement)


def _format(statements: Sequence[str], **names: str) -> list[str]:
    return [statement.format(table=table, **names) for table in SEARCHED for statement in statements]


def _pg_trgm(connection: Connection) -> str | None:
    """Return the schema of pg_trgm if it is usable. Any role that may create schemas in the database may create it."""
    if not connection.scalar(SELECT_HAS_PG_TRGM):
        return None
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.ProgrammingError:  # permission denied
        return None
    schema: str | None = connection.scalar(SELECT_PG_TRGM_SCHEMA)
    return schema
