"""Shipments, returns, and their refunds."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant, Money

revision = "0013"
down_revision = "0012"
STATUSES = "'REQUESTED', 'APPROVED', 'REJECTED', 'RECEIVED', 'REFUNDED'"
IS_CREDIT_NOTE = sa.text("number IS NOT NULL")
IS_VOID = sa.text("voided_at IS NOT NULL")
HAS_EXTERNAL_ID = sa.text("external_id IS NOT NULL")


def upgrade() -> None:
    """Create the tables. Rows that the previous version writes have the defaults of the columns."""
    op.add_column("orders", sa.Column("has_shipments", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("companies", sa.Column("credit_note_number", sa.BigInteger, nullable=False, server_default="0"))
    _shipments()
    _returns()
    _refunds()


def downgrade() -> None:
    """Drop the tables and the columns."""
    for table in ("refunds", "return_items", "returns", "shipment_items", "shipments"):
        op.drop_table(table)
    op.drop_column("companies", "credit_note_number")
    op.drop_column("orders", "has_shipments")


def _shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("carrier", sa.String(100)),
        sa.Column("tracking_numbers", sa.JSON, nullable=False),
        sa.Column("tracking_url", sa.String(2048)),
        sa.Column("shipped_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shipments"),
        sa.UniqueConstraint("company_id", "id", name="uq_shipments_company_id_id"),
        _reference("shipments", "order_id", "orders"),
    )
    _index("shipments", "order_id", "created_at", "id")
    op.create_table(
        "shipment_items",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("shipment_id", Id, nullable=False),
        sa.Column("order_item_id", Id, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shipment_items"),
        sa.UniqueConstraint("shipment_id", "order_item_id", name="uq_shipment_items_shipment_id_order_item_id"),
        _reference("shipment_items", "shipment_id", "shipments"),
        sa.ForeignKeyConstraint(["order_item_id"], ["order_items.id"], name="fk_shipment_items_order_item_id"),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_shipment_items_quantity")),
    )


def _returns() -> None:
    op.create_table(
        "returns",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("customer_id", Id),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("refunded_amount", Money, nullable=False),
        sa.Column("method", sa.String(20)),
        sa.Column("reference", sa.String(255)),
        sa.Column("notes", sa.String(2000)),
        sa.Column("external_id", sa.String(255)),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("approved_at", Instant),
        sa.Column("received_at", Instant),
        sa.Column("refunded_at", Instant),
        sa.Column("rejected_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_returns"),
        sa.UniqueConstraint("company_id", "id", name="uq_returns_company_id_id"),
        _reference("returns", "order_id", "orders"),
        _reference("returns", "customer_id", "customers"),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_returns_status")),
        sa.CheckConstraint("refunded_amount >= 0", name=op.f("ck_returns_refunded_amount")),
    )
    _index("returns", "created_at", "id")
    for column in ("status", "order_id", "customer_id", "updated_at"):
        _index("returns", column, "created_at", "id")
    op.create_index(
        "uq_returns_company_id_external_id",
        "returns",
        ["company_id", "external_id"],
        unique=True,
        postgresql_where=HAS_EXTERNAL_ID,
        sqlite_where=HAS_EXTERNAL_ID,
    )
    op.create_table(
        "return_items",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("return_id", Id, nullable=False),
        sa.Column("order_item_id", Id, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("received_quantity", sa.Integer),
        sa.Column("restocked_quantity", sa.Integer),
        sa.Column("reason", sa.String(20)),
        sa.PrimaryKeyConstraint("id", name="pk_return_items"),
        sa.UniqueConstraint("return_id", "order_item_id", name="uq_return_items_return_id_order_item_id"),
        _reference("return_items", "return_id", "returns"),
        sa.ForeignKeyConstraint(["order_item_id"], ["order_items.id"], name="fk_return_items_order_item_id"),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_return_items_quantity")),
        sa.CheckConstraint("received_quantity BETWEEN 0 AND quantity", name=op.f("ck_return_items_received_quantity")),
        sa.CheckConstraint(
            "restocked_quantity BETWEEN 0 AND received_quantity", name=op.f("ck_return_items_restocked_quantity")
        ),
    )


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("return_id", Id, nullable=False),
        sa.Column("customer_id", Id),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("reference", sa.String(255)),
        sa.Column("goods", Money, nullable=False),
        sa.Column("subtotal", Money, nullable=False),
        sa.Column("tax", Money, nullable=False),
        sa.Column("shipping", Money, nullable=False),
        sa.Column("total", Money, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("refunded_at", Instant, nullable=False),
        sa.Column("void_reason", sa.String(500)),
        sa.Column("voided_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_refunds"),
        sa.UniqueConstraint("company_id", "number", name="uq_refunds_company_id_number"),
        _reference("refunds", "order_id", "orders"),
        _reference("refunds", "return_id", "returns"),
        _reference("refunds", "customer_id", "customers"),
        sa.CheckConstraint("total = subtotal + tax + shipping", name=op.f("ck_refunds_total")),
        sa.CheckConstraint(
            "goods >= 0 AND subtotal >= 0 AND tax >= 0 AND shipping >= 0", name=op.f("ck_refunds_amounts")
        ),
        sa.CheckConstraint("(method = 'CREDIT_NOTE') = (number IS NOT NULL)", name=op.f("ck_refunds_number")),
        sa.CheckConstraint("(voided_at IS NULL) = (void_reason IS NULL)", name=op.f("ck_refunds_void")),
        sa.CheckConstraint("voided_at IS NULL OR number IS NOT NULL", name=op.f("ck_refunds_voidable")),
    )
    _index("refunds", "order_id", "refunded_at", "id")
    _index("refunds", "return_id", "refunded_at", "id")
    _index("refunds", "refunded_at", "voided_at", "total")
    op.create_index(
        "ix_refunds_company_id_refunded_at_id",
        "refunds",
        ["company_id", "refunded_at", "id"],
        postgresql_where=IS_VOID,
        sqlite_where=IS_VOID,
    )
    for name, columns in (("refunded_at", []), ("customer_id", ["customer_id"])):
        op.create_index(
            f"ix_refunds_notes_{name}",
            "refunds",
            ["company_id", *columns, "refunded_at", "id"],
            postgresql_where=IS_CREDIT_NOTE,
            sqlite_where=IS_CREDIT_NOTE,
        )


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_company_id_{'_'.join(columns)}", table, ["company_id", *columns])


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """Refer to a row of the same company; the database itself refuses a row of another one."""
    columns = ["company_id", column]
    name = f"fk_{table}_company_id_{column}"
    return sa.ForeignKeyConstraint(columns, [f"{target}.company_id", f"{target}.id"], name=name)
