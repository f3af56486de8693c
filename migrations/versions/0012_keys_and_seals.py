"""Networks and rotation of API keys, descriptions of webhooks, and the seals of the audit log."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant

revision = "0012"
down_revision = "0011"
MESSAGE = "audit_seals is append-only"


def upgrade() -> None:
    """Add the columns and the table. Rows that the previous version writes have the defaults."""
    op.add_column("api_keys", sa.Column("allowed_networks", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("replaced_by", Id))
    op.create_index("ix_api_keys_company_id_created_at_id", "api_keys", ["company_id", "created_at", "id"])
    op.drop_index("ix_api_keys_company_id", "api_keys")
    op.add_column("webhooks", sa.Column("description", sa.String(255)))
    op.create_table(
        "audit_seals",
        sa.Column("id", Id, primary_key=True),
        sa.Column("company_id", Id, sa.ForeignKey("companies.id", name="fk_audit_seals_company_id"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.LargeBinary(32), nullable=False),
        sa.Column("sealed_at", Instant, nullable=False),
        sa.UniqueConstraint("company_id", "number", name="uq_audit_seals_company_id_number"),
        sa.CheckConstraint("number >= 1", name="ck_audit_seals_number"),
        sa.CheckConstraint("length(seal) = 32", name="ck_audit_seals_seal"),
    )
    _make_append_only()


def downgrade() -> None:
    """Drop the table and the columns."""
    op.drop_table("audit_seals")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_seals_refuse()")
    op.drop_column("webhooks", "description")
    op.create_index("ix_api_keys_company_id", "api_keys", ["company_id"])
    op.drop_index("ix_api_keys_company_id_created_at_id", "api_keys")
    for column in ("replaced_by", "allowed_networks"):
        op.drop_column("api_keys", column)


def _make_append_only() -> None:
    """Make the database refuse UPDATE and DELETE."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_seals_no_{verb.lower()} BEFORE {verb} ON audit_seals "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        op.execute(  # REPLACE deletes a row without firing the trigger above
            "CREATE TRIGGER audit_seals_no_replace BEFORE INSERT ON audit_seals WHEN EXISTS ("
            "SELECT 1 FROM audit_seals WHERE id = NEW.id OR (company_id = NEW.company_id AND number = NEW.number)) "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION audit_seals_refuse() RETURNS trigger LANGUAGE plpgsql "
        f"AS $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_seals_refuse()"
    )
