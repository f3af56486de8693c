"""`distribu webhook`: the webhooks of a company and their deliveries (contract, section 8).

Not in this module: `webhook create`, `update` and `delete` (`app/cli/webhook_edit.py`), and the commands for the
development of receivers, `webhook listen` and `webhook trigger` (`app/cli/webhook_listen.py`, `webhook_trigger.py`).
"""

import click

from app.cli import listing, options, output, runtime
from app.cli.webhook_edit import SECRET_NOTE, create, delete, update
from app.cli.webhook_listen import listen
from app.cli.webhook_trigger import QUEUED, trigger
from app.queries.listing import MAX_LIMIT
from app.schemas.base import Json
from app.schemas.webhooks import DAY_SECONDS, WEBHOOK, WebhookSecretRotate, webhook_delivery, webhook_with_secret
from app.services import deliveries, events, webhooks

ATTEMPT_COLUMNS = ["createdAt", "id", "event", "attempt", "outcome", "statusCode", "durationMs", "nextAttemptAt"]

webhook_id = click.argument("webhook_id", metavar="WEBHOOK_ID", type=options.TEXT)


@click.group()
def webhook() -> None:
    """Create, list, change, test and delete webhooks, and develop receivers."""


webhook.add_command(create)
webhook.add_command(update)
webhook.add_command(delete)
webhook.add_command(listen)
webhook.add_command(trigger)


@webhook.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the webhooks of a company."""
    with runtime.company_context(slug) as ctx:
        rows = [WEBHOOK.render(row) for row in webhooks.list_all(ctx)]
    empty = f"There are no webhooks yet. Create one: distribu webhook create --company {slug} --url URL --event EVENT"
    columns = ["id", "url", "isActive", "events", "description", "createdAt"]
    output.records(rows, as_json=as_json, columns=columns, empty=empty)


@webhook.command(name="deliveries")
@webhook_id
@options.company
@click.option("--failed", is_flag=True, help="Show failed attempts only.")
@options.limit
@options.as_json
def list_deliveries(webhook_id: str, slug: str, failed: bool, limit: int, as_json: bool) -> None:
    """List the delivery attempts of a webhook, newest first.

    With --json, they include the payload that was sent.
    """
    outcome = "FAILED" if failed else None
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            page = deliveries.page(ctx, webhook_id, limit=MAX_LIMIT, cursor=cursor, outcome=outcome)
            return [webhook_delivery(row) for row in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    empty = "No delivery failed." if failed else "There are no deliveries to this webhook yet."
    output.listing(rows, limit, as_json=as_json, columns=ATTEMPT_COLUMNS, empty=empty)


@webhook.command()
@webhook_id
@click.argument("delivery_id", metavar="DELIVERY_ID", type=options.TEXT)
@options.company
@options.as_json
def redeliver(webhook_id: str, delivery_id: str, slug: str, as_json: bool) -> None:
    """Deliver the event of an earlier delivery again.

    The outcome of the earlier delivery does not matter. Receivers recognize the event by its id.
    """
    with runtime.company_context(slug, write=True) as ctx:
        row = webhook_delivery(deliveries.redeliver(ctx, webhook_id, delivery_id))
    _show_queued(row, slug, as_json=as_json)


@webhook.command()
@webhook_id
@options.company
@options.as_json
def test(webhook_id: str, slug: str, as_json: bool) -> None:
    """Send a test event to a webhook.

    The type of the event is `webhook.test`.
    """
    with runtime.company_context(slug, write=True) as ctx:
        row = webhook_delivery(events.test(ctx, webhook_id))
    _show_queued(row, slug, as_json=as_json)


@webhook.command()
@webhook_id
@options.company
@click.option(
    "--grace-seconds",
    metavar="SECONDS",
    type=options.Count(0, webhooks.MAX_GRACE_SECONDS),
    default=DAY_SECONDS,
    show_default=True,
    help=f"How long the old secret stays valid, up to {webhooks.MAX_GRACE_SECONDS}. 0 invalidates earlier secrets now.",
)
@options.as_json
def rotate(webhook_id: str, slug: str, grace_seconds: int, as_json: bool) -> None:
    """Replace the signing secret of a webhook.

    The new secret is printed once and cannot be printed again. During the grace period, deliveries are signed with the
    old secret too.
    """
    with runtime.company_context(slug, write=True) as ctx:
        rotation = WebhookSecretRotate(grace_seconds=grace_seconds)
        row = webhook_with_secret(webhooks.rotate_secret(ctx, webhook_id, rotation))
    _show_rotated(row, as_json=as_json)


def _show_rotated(row: Json, *, as_json: bool) -> None:
    if as_json:
        output.document(row)
        return
    ends = row["secretRotationGraceExpiresAt"]
    output.note(f"Earlier secrets are valid until {ends}." if ends else "Earlier secrets are no longer valid.")
    output.note(SECRET_NOTE)
    output.text(row["secret"])


def _show_queued(row: Json, slug: str, *, as_json: bool) -> None:
    output.record(row if as_json else {name: row[name] for name in ATTEMPT_COLUMNS[:5]}, as_json=as_json)
    output.note(QUEUED.format(id=row["webhookId"], slug=slug))
