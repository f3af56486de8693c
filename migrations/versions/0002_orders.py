"""Customers, orders, the audit log, the outbox and stored responses."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant, Money, Rate

revision = "0002"
down_revision = "0001"

STATUSES = "'SUBMITTED', 'CONFIRMED', 'SHIPPED', 'DELIVERED', 'CANCELLED'"


def upgrade() -> None:
    """Create the tables of the write path."""
    _customers()
    _price_overrides()
    _orders()
    _order_items()
    _audit_entries()
    _events()
    _stored_responses()


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(100)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("notes", sa.String(2000)),
        sa.Column("credit_limit", Money),
        sa.Column("tax_rate_override", Rate),
        sa.Column("email_verified", sa.Boolean, nullable=False),
        sa.Column("search_text", sa.Text, nullable=False),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_customers"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_customers_company_id"),
        sa.UniqueConstraint("company_id", "email", name="uq_customers_company_id_email"),
        sa.UniqueConstraint("company_id", "id", name="uq_customers_company_id_id"),
        sa.CheckConstraint("status IN ('ACTIVE', 'BLOCKED')", name=op.f("ck_customers_status")),
        sa.CheckConstraint("credit_limit >= 0", name=op.f("ck_customers_credit_limit")),
        sa.CheckConstraint("tax_rate_override >= 0", name=op.f("ck_customers_tax_rate_override")),
    )
    _index("customers", "created_at")
    _index("customers", "status", "created_at")


def _price_overrides() -> None:
    op.create_table(
        "price_overrides",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("customer_id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("price", Money, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_price_overrides"),
        sa.UniqueConstraint(
            "company_id", "customer_id", "product_id", name="uq_price_overrides_company_id_customer_id_product_id"
        ),
        _reference("price_overrides", "customer_id", "customers"),
        _reference("price_overrides", "product_id", "products"),
        sa.CheckConstraint("price >= 0", name=op.f("ck_price_overrides_price")),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("customer_id", Id),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("po_number", sa.String(100)),
        sa.Column("notes", sa.String(2000)),
        sa.Column("shipping_address", sa.JSON),
        sa.Column("subtotal", Money, nullable=False),
        sa.Column("tax", Money, nullable=False),
        sa.Column("shipping", Money, nullable=False),
        sa.Column("total", Money, nullable=False),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_orders_company_id"),
        _reference("orders", "customer_id", "customers"),
        sa.UniqueConstraint("company_id", "id", name="uq_orders_company_id_id"),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_orders_status")),
        sa.CheckConstraint("total = subtotal + tax + shipping", name=op.f("ck_orders_total")),
        sa.CheckConstraint("subtotal >= 0 AND tax >= 0 AND shipping >= 0", name=op.f("ck_orders_amounts")),
    )
    _index("orders", "created_at")
    _index("orders", "status", "created_at")
    _index("orders", "customer_id", "created_at")


def _order_items() -> None:
    op.create_table(
        "order_items",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", Money, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order_items"),
        sa.UniqueConstraint("order_id", "position", name="uq_order_items_order_id_position"),
        _reference("order_items", "order_id", "orders"),
        _reference("order_items", "product_id", "products"),
        sa.CheckConstraint("quantity BETWEEN 1 AND 1000000", name=op.f("ck_order_items_quantity")),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_order_items_unit_price")),
    )


def _audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("actor_type", sa.String(10), nullable=False),
        sa.Column("actor_id", sa.String(100), nullable=False),
        sa.Column("entity_type", sa.String(40), nullable=False),
        sa.Column("entity_id", sa.String(64), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_audit_entries_company_id"),
        sa.CheckConstraint("actor_type IN ('API_KEY', 'USER', 'SYSTEM')", name=op.f("ck_audit_entries_actor_type")),
    )
    _index("audit_entries", "created_at")
    _make_append_only("audit_entries")


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("entity_id", Id, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_events_company_id"),
        sa.UniqueConstraint("company_id", "entity_id", "sequence", name="uq_events_company_id_entity_id_sequence"),
    )
    _index("events", "created_at")


def _stored_responses() -> None:
    op.create_table(
        "stored_answers",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("operation", sa.String(60), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stored_answers"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_stored_answers_company_id"),
        sa.UniqueConstraint("company_id", "operation", "key", name="uq_stored_answers_company_id_operation_key"),
    )
    op.create_index("ix_stored_answers_expires_at", "stored_answers", ["expires_at"])


def _index(table: str, *columns: str) -> None:
    names = ["company_id", *columns, "id"]
    op.create_index("_".join(["ix", table, *names]), table, names)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """Refer to a row of the same company; the database itself refuses a row of another one."""
    columns = ["company_id", column]
    name = f"fk_{table}_company_id_{column}"
    return sa.ForeignKeyConstraint(columns, [f"{target}.company_id", f"{target}.id"], name=name)


def _make_append_only(table: str) -> None:
    """Make the database refuse UPDATE and DELETE."""
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        op.execute(  # REPLACE deletes a row without firing the trigger above
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
