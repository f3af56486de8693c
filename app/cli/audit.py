"""`distribu audit`: the audit log (contract, sections 9.8 and 10)."""

from typing import Any

import click

from app.cli import listing, options, output, runtime
from app.context import ActorType
from app.queries.listing import MAX_LIMIT
from app.schemas.audit import AUDIT_ENTRY
from app.schemas.audit_seals import audit_seal
from app.services import audit as audit_log
from app.services import audit_seals


@click.group()
def audit() -> None:
    """Read the audit log."""


@audit.command(name="list")
@options.company
@click.option("--actor-id", type=options.TEXT, help="Filter by the id of an API key, or the name of a user.")
@click.option(
    "--actor-type",
    metavar="TYPE",
    type=click.Choice([kind.value for kind in ActorType]),
    help=f"Filter by type of actor: {', '.join(ActorType)}.",
)
@click.option("--action", type=options.TEXT, help="Filter by action, such as order.placed.")
@click.option("--entity-type", type=options.TEXT, help="Filter by type of entity, such as order.")
@click.option("--entity-id", type=options.TEXT, help="Filter by the id of an order, a product or another entity.")
@click.option("--request-id", type=options.TEXT, help="Filter by the X-Request-Id of a request.")
@options.time_filters("changes made")
@options.limit
@options.as_json
def list_all(slug: str, limit: int, as_json: bool, **filters: Any) -> None:
    """List changes to a company's data, newest first.

    Includes changes made with API keys, on the command line and by the server itself.
    """
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            page = audit_log.page(ctx, limit=MAX_LIMIT, cursor=cursor, **filters)
            return [AUDIT_ENTRY.render(entry) for entry in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["createdAt", "action", "actorType", "actorId", "entityType", "entityId"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No changes found.")


@audit.command()
@options.company
@options.as_json
def seal(slug: str, as_json: bool) -> None:
    """Show the last seal of a company's audit log.

    Keep it outside of this server. `distribu verify --company SLUG --seal HEX` proves later that the entries up to it
    were neither changed nor removed. The fields are null, and empty in the table, until the first entry is sealed.
    """
    with runtime.company_context(slug) as ctx:
        row = audit_seal(audit_seals.latest(ctx))
    output.record(row, as_json=as_json)
