"""`distribu webhook`: look after webhooks and their deliveries (contract, section 8)."""

from typing import Any

import click

from app.cli import listing, options, output, runtime
from app.schemas.webhooks import DeliverySchema, WebhookSchema
from app.services import deliveries, events, webhooks

SCHEMA = WebhookSchema()
DELIVERY = DeliverySchema()
MOST_AT_ONCE = 100
ATTEMPT_COLUMNS = ["createdAt", "id", "event", "attempt", "outcome", "statusCode", "durationMs", "nextAttemptAt"]
QUEUED = "It is queued. See what becomes of it: distribu webhook deliveries {id} --company {slug}"

webhook_id = click.argument("webhook_id", metavar="WEBHOOK_ID", type=options.TEXT)


@click.group()
def webhook() -> None:
    """Look after webhooks and what was sent to them."""


@webhook.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the webhooks of a company."""
    with runtime.company_context(slug) as ctx:
        rows = [SCHEMA.render(each) for each in webhooks.list_all(ctx)]
    empty = "The company has no webhook. Programs create them with POST /webhooks."
    output.records(rows, as_json=as_json, columns=["id", "url", "isActive", "events", "createdAt"], empty=empty)


@webhook.command(name="deliveries")
@webhook_id
@options.company
@click.option("--failed", is_flag=True, help="Only attempts that failed.")
@options.limit
@options.as_json
def list_deliveries(webhook_id: str, slug: str, failed: bool, limit: int, as_json: bool) -> None:
    """List the attempts to deliver to a webhook, newest first."""
    outcome = "FAILED" if failed else None
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            page = deliveries.page(ctx, webhook_id, limit=MOST_AT_ONCE, cursor=cursor, outcome=outcome)
            return [DELIVERY.render(each) for each in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    empty = "No delivery failed." if failed else "Nothing was sent to this webhook yet."
    output.listing(rows, limit, as_json=as_json, columns=ATTEMPT_COLUMNS, empty=empty)


@webhook.command()
@webhook_id
@click.argument("delivery_id", metavar="DELIVERY_ID", type=options.TEXT)
@options.company
@options.as_json
def redeliver(webhook_id: str, delivery_id: str, slug: str, as_json: bool) -> None:
    """Send the event of a delivery once more."""
    with runtime.company_context(slug, write=True) as ctx:
        row = DELIVERY.render(deliveries.redeliver(ctx, webhook_id, delivery_id))
    _queued(row, slug, as_json=as_json)


@webhook.command()
@webhook_id
@options.company
@options.as_json
def test(webhook_id: str, slug: str, as_json: bool) -> None:
    """Send the event `webhook.test`, which means nothing, to one webhook."""
    with runtime.company_context(slug, write=True) as ctx:
        row = DELIVERY.render(events.test(ctx, webhook_id))
    _queued(row, slug, as_json=as_json)


@webhook.command()
@webhook_id
@options.company
@click.option(
    "--grace-seconds",
    type=click.IntRange(0, webhooks.MAX_GRACE_SECONDS),
    default=webhooks.DAY_SECONDS,
    show_default=True,
    help="How long the old secret signs too; 0 ends all earlier secrets now.",
)
@options.as_json
def rotate(webhook_id: str, slug: str, grace_seconds: int, as_json: bool) -> None:
    """Print a new secret for a webhook. It cannot be printed again."""
    with runtime.company_context(slug, write=True) as ctx:
        row = SCHEMA.with_secret(webhooks.rotate_secret(ctx, webhook_id, grace_seconds))["data"]
    _show_rotated(row, as_json=as_json)


def _show_rotated(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(row)
        return
    ends = row["secretRotationGraceExpiresAt"]
    output.note(f"Earlier secrets sign until {ends}." if ends else "No earlier secret signs.")
    output.note("This is the only time the secret is shown. Keep it where no one else can read it:")
    output.text(row["secret"])


def _queued(row: dict[str, Any], slug: str, *, as_json: bool) -> None:
    output.record(row if as_json else {name: row[name] for name in ATTEMPT_COLUMNS[:5]}, as_json=as_json)
    output.note(QUEUED.format(id=row["webhookId"], slug=slug))
