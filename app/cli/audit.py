"""`distribu audit`: who changed what (contract, section 10)."""

import click
from marshmallow import fields

from app.cli import options, output, runtime
from app.schemas.base import Schema, Timestamp
from app.services import audit as audits

ALL = 2**63 - 2  # one more is the largest number that a database counts to


class EntrySchema(Schema):
    """What is shown of an entry."""

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
    """List the changes to a company's data, newest first: by keys, by people at the command line, by the system."""
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.dump(each) for each in audits.newest(ctx, (limit or ALL) + 1)]
    columns = ["createdAt", "action", "actorType", "actorId", "entityType", "entityId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No changes recorded yet.")
