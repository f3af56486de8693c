"""`distribu webhook trigger`: send sample events to receivers under development (contract, section 9.5)."""

import click

from app.cli import options, output, runtime
from app.schemas.webhooks import webhook_delivery
from app.services import deliveries, events
from models import EventType

COLUMNS = ["createdAt", "id", "webhookId", "event", "outcome"]
QUEUED = "Queued. To see the outcome, run: distribu webhook deliveries {id} --company {slug}"


@click.command()
@click.argument("event", metavar="EVENT", type=click.Choice([event.value for event in EventType]))
@options.company
@click.option(
    "--webhook",
    "webhook_id",
    metavar="WEBHOOK_ID",
    type=options.TEXT,
    help="Send the event only to this webhook, even if it does not subscribe to EVENT.",
    show_default="every active webhook that subscribes to EVENT",
)
@options.as_json
def trigger(event: str, slug: str, webhook_id: str | None, as_json: bool) -> None:
    """Send a sample event to webhooks.

    EVENT is an event type such as order.created. The event has realistic data, but nothing is created or changed, and
    the records that it names do not exist. Its body contains "test": true, so that receivers can ignore it. Lists of
    events do not contain it.
    """
    event_type = EventType(event)
    with runtime.company_context(slug, write=True) as ctx:
        ids = [webhook_id] if webhook_id else deliveries.subscriber_ids(ctx, event_type)
        if not ids:
            raise click.ClickException(_no_subscriber(event_type, slug))
        rows = [webhook_delivery(row) for row in events.send_samples(ctx, event_type, ids)]
    output.records(rows, as_json=as_json, columns=COLUMNS, empty="")
    for row in rows:
        output.note(QUEUED.format(id=row["webhookId"], slug=slug))


def _no_subscriber(event: EventType, slug: str) -> str:
    """Return why there is no webhook to send an event to, and what to do."""
    if event is EventType.WEBHOOK_TEST:
        return f"No webhook subscribes to {event}. Name the one to send it to: --webhook WEBHOOK_ID"
    receive = f"distribu webhook listen --company {slug}"
    return f"No active webhook subscribes to {event}. Receive it here with '{receive}', or use --webhook WEBHOOK_ID."
