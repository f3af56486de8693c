"""The ledger of stock, and what the API writes about products in addition.

The previous version of the code, which may still serve, changes stock without a movement. Triggers on the products
write it in its place, so the ledger is complete from this revision on. The opening rows of existing products are
inserted after it, in batches, and the indexes of large tables are created after it, while servers write.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant

revision = "0009"
down_revision = "0008"

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
HAS_OPENING = "WHERE company_id = NEW.company_id AND product_id = NEW.id AND sequence = 0"
OPENING = "SELECT 1 FROM {schema}inventory_movements " + HAS_OPENING
INSERT = (
    "INSERT INTO {schema}inventory_movements (id, company_id, product_id, sequence, reason, delta, stock_before,"
    " stock_after, actor_type, actor_id, created_at)"
)
IS_UNRECORDED = "NEW.movement_sequence = OLD.movement_sequence"
# An update that records its change may be the first of a product that has no opening row yet.
IS_FIRST = "OLD.movement_sequence = 0 AND NEW.movement_sequence <> 0"
IS_FIRST_OR_UNRECORDED = f"({IS_FIRST}) OR (OLD.stock <> NEW.stock AND {IS_UNRECORDED})"


def upgrade() -> None:
    """Add the columns, create the table, and make it complete and append-only."""
    op.add_column("products", sa.Column("external_id", sa.String(255)))
    op.add_column("products", sa.Column("barcode", sa.String(14)))
    op.add_column("products", sa.Column("movement_sequence", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("products", sa.Column("counted_at", Instant))
    op.add_column("orders", sa.Column("has_movements", sa.Boolean))
    _movements()
    _make_append_only()
    _write_unrecorded_changes()


def downgrade() -> None:
    """Drop the ledger with all movements, and the columns."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in ("products_write_opening", "products_write_movement"):
        op.execute(f"DROP TRIGGER {trigger}" if is_sqlite else f"DROP FUNCTION {trigger} CASCADE")
    op.drop_table("inventory_movements")
    if not is_sqlite:
        op.execute("DROP FUNCTION inventory_movements_refuse")
    op.drop_index("ix_order_items_product", "order_items", if_exists=True)
    for index in ("ix_products_low_stock", "ix_products_barcode", "uq_products_company_id_external_id"):
        op.drop_index(index, "products", if_exists=True)
    op.drop_column("orders", "has_movements")
    for column in ("counted_at", "movement_sequence", "barcode", "external_id"):
        op.drop_column("products", column)


def _movements() -> None:
    op.create_table(
        "inventory_movements",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("delta", sa.BigInteger, nullable=False),
        sa.Column("stock_before", sa.BigInteger, nullable=False),
        sa.Column("stock_after", sa.BigInteger, nullable=False),
        sa.Column("reference", sa.String(255)),
        sa.Column("note", sa.String(500)),
        sa.Column("order_id", Id),
        sa.Column("return_id", Id),
        sa.Column("actor_type", sa.String(10), nullable=False),
        sa.Column("actor_id", sa.String(100), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inventory_movements"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_inventory_movements_company_id"),
        sa.CheckConstraint("stock_after = stock_before + delta", name=op.f("ck_inventory_movements_delta")),
        sa.CheckConstraint("stock_before >= 0 AND stock_after >= 0", name=op.f("ck_inventory_movements_stock")),
        sa.CheckConstraint(
            "actor_type IN ('API_KEY', 'USER', 'SYSTEM')", name=op.f("ck_inventory_movements_actor_type")
        ),
    )
    for columns in (["created_at"], ["product_id", "created_at"], ["reason", "created_at"]):
        names = ["company_id", *columns, "id"]
        op.create_index("_".join(["ix_inventory_movements", *names]), "inventory_movements", names)
    for name, column in (("order", "order_id"), ("reference", "reference")):
        columns = [column, "created_at", "id"]
        _partial_index(f"ix_inventory_movements_{name}", "inventory_movements", columns, f"{column} IS NOT NULL")
    _partial_index("uq_inventory_movements_opening", "inventory_movements", ["product_id"], "sequence = 0", unique=True)


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, ["company_id", *columns], unique=unique, postgresql_where=condition, sqlite_where=condition
    )


def _make_append_only() -> None:
    """Make the database refuse UPDATE and DELETE."""
    message = "inventory_movements is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER inventory_movements_no_{verb.lower()} BEFORE {verb} ON inventory_movements "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        op.execute(  # REPLACE deletes a row without firing the trigger above
            "CREATE TRIGGER inventory_movements_no_replace BEFORE INSERT ON inventory_movements "
            "WHEN EXISTS (SELECT 1 FROM inventory_movements WHERE id = NEW.id) OR (NEW.sequence = 0 AND EXISTS ("
            "SELECT 1 FROM inventory_movements "
            "WHERE company_id = NEW.company_id AND product_id = NEW.product_id AND sequence = 0)) "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION inventory_movements_refuse() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER inventory_movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON inventory_movements "
        "FOR EACH STATEMENT EXECUTE FUNCTION inventory_movements_refuse()"
    )


def _write_unrecorded_changes() -> None:
    """Create the triggers that write an opening row or a movement that the statement's transaction did not write.

    Code that records its changes inserts the opening row before the product, and increments the sequence.
    """
    if op.get_bind().dialect.name == "sqlite":
        for statement in _sqlite_triggers():
            op.execute(sa.text(statement.replace(":", r"\:")))
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in _postgresql_triggers(f"{schema}."):
        op.execute(sa.text(statement.replace(":", r"\:")))


def _sqlite_triggers() -> list[str]:
    names = {"schema": ""}
    opening, insert = OPENING.format(**names), INSERT.format(**names)
    return [
        (
            f"CREATE TRIGGER products_write_opening AFTER INSERT ON products WHEN NOT EXISTS ({opening}) "
            f"BEGIN {insert} {_opening_row('NEW', _sqlite_id)}; END"
        ),
        (
            f"CREATE TRIGGER products_write_movement AFTER UPDATE OF stock, movement_sequence ON products "
            f"WHEN {IS_FIRST_OR_UNRECORDED} "
            f"BEGIN {insert} {_opening_row('OLD', _sqlite_id)} WHERE NOT EXISTS ({opening}); "
            f"{insert} {_movement_row(_sqlite_id)} WHERE {IS_UNRECORDED}; "
            f"UPDATE products SET movement_sequence = movement_sequence + 1 WHERE id = NEW.id AND {IS_UNRECORDED}; END"
        ),
    ]


def _postgresql_triggers(schema: str) -> list[str]:
    insert = INSERT.format(schema=schema)
    return [
        (
            f"CREATE FUNCTION {schema}products_write_opening() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NOT EXISTS ({OPENING.format(schema=schema)}) THEN "
            f"{insert} {_opening_row('NEW', _postgresql_id)} ON CONFLICT DO NOTHING; END IF; RETURN NULL; END $$"
        ),
        (
            f"CREATE TRIGGER products_write_opening AFTER INSERT ON {schema}products "
            f"FOR EACH ROW EXECUTE FUNCTION {schema}products_write_opening()"
        ),
        (
            f"CREATE FUNCTION {schema}products_write_movement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF NOT EXISTS ({OPENING.format(schema=schema)}) THEN "
            f"{insert} {_opening_row('OLD', _postgresql_id)} ON CONFLICT DO NOTHING; END IF; "
            f"IF {IS_UNRECORDED} THEN {insert} {_movement_row(_postgresql_id)}; "
            "NEW.movement_sequence := NEW.movement_sequence + 1; END IF; RETURN NEW; END $$"
        ),
        (
            f"CREATE TRIGGER products_write_movement BEFORE UPDATE OF stock, movement_sequence ON {schema}products "
            f"FOR EACH ROW WHEN ({IS_FIRST_OR_UNRECORDED}) EXECUTE FUNCTION {schema}products_write_movement()"
        ),
    ]


def _opening_row(row: str, new_id: Callable[[str], str]) -> str:
    """Return the opening row of a product with the stock of `row`, OLD or NEW."""
    at = f"{row}.created_at" if row == "NEW" else f"{row}.updated_at"
    return (
        f"SELECT {new_id(at)}, NEW.company_id, NEW.id, 0, 'OPENING', {row}.stock, 0, {row}.stock,"
        f" 'SYSTEM', 'database', {at}"
    )


def _movement_row(new_id: Callable[[str], str]) -> str:
    return (
        f"SELECT {new_id('NEW.updated_at')}, NEW.company_id, NEW.id, NEW.movement_sequence + 1, 'CORRECTION',"
        " NEW.stock - OLD.stock, OLD.stock, NEW.stock, 'SYSTEM', 'database', NEW.updated_at"
    )


def _sqlite_id(at: str) -> str:
    return f"'c' || {_base36(at)} || substr(lower(hex(randomblob(8))), 1, 15)"


def _postgresql_id(at: str) -> str:
    milliseconds = f"floor(extract(epoch FROM {at}) * 1000)::bigint"
    return f"'c' || {_base36(milliseconds)} || substr(replace(gen_random_uuid()::text, '-', ''), 1, 15)"


def _base36(milliseconds: str) -> str:
    """Return the nine characters of a time in an id, as `models.new_id` generates them."""
    digits = (
        f"substr('{ALPHABET}', CAST({milliseconds} / {36**power} % 36 AS integer) + 1, 1)" for power in range(8, -1, -1)
    )
    return " || ".join(digits)
