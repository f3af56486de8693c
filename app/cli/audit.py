"""`distribu audit`: the audit log (contract, section 10)."""

import click
from marshmallow import fields

from app.cli import options, output, runtime
from app.schemas.base import Schema, Timestamp
from app.services import audit as audit_log

MAX_ENTRIES = 2**63 - 2  # the statement asks for one more, and 64 bits are the limit of the databases


class EntrySchema(Schema):
    """An entry as the command shows it."""

    action = fields.String()
    actor_type = fields.String()
    actor_id = fields.String()
    entity_type = fields.String()
    entity_id = fields.String()
    request_id = fields.String()
    created_at = Timestamp()
    metadata = fields.Raw(attribute="details")


SCHEMA = EntrySchema()


@click.group()
def audit() -> None:
    """Read the audit log."""


@audit.command(name="list")
@options.company
@options.limit
@options.as_json
def list_all(slug: str, limit: int, as_json: bool) -> None:
    """List changes to a company's data, newest first.

    Includes changes made with API keys, on the command line and by the server itself.
    """
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.dump(entry) for entry in audit_log.newest(ctx, (limit or MAX_ENTRIES) + 1)]
    columns = ["createdAt", "action", "actorType", "actorId", "entityType", "entityId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No changes recorded yet.")
