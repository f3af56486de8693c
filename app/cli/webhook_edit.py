"""`distribu webhook create`, `update` and `delete` (contract, sections 8 and 9.5)."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import click

from app.cli import options, output, runtime
from app.egress import DestinationError
from app.schemas.base import Json
from app.schemas.webhooks import WEBHOOK, WebhookCreate, WebhookUpdate, webhook_with_secret
from app.services import webhooks
from app.services.subscriptions import WILDCARDS
from models import SUBSCRIBABLE

MAX_URL_LENGTH = 2048
MAX_DESCRIPTION_LENGTH = 255

SECRET_NOTE = "This is the only time the secret is shown. Store it where no one else can read it:"  # noqa: S105 - no secret

events = click.option(
    "--event",
    "events",
    metavar="EVENT",
    type=click.Choice([*(event.value for event in SUBSCRIBABLE), *WILDCARDS]),
    multiple=True,
    help="An event type, or a wildcard in quotes: 'order.*' or '*'. Repeat the option for several.",
)
url = click.option("--url", metavar="URL", type=options.LimitedText(MAX_URL_LENGTH), help="Where events are sent.")
description = click.option(
    "--description",
    type=options.LimitedText(MAX_DESCRIPTION_LENGTH),
    help=f"What the webhook is for (up to {MAX_DESCRIPTION_LENGTH} characters). An empty text is none.",
)
active = click.option(
    "--active/--inactive", "is_active", default=None, help="Whether events are delivered to the webhook."
)


@click.command()
@options.company
@url
@events
@description
@active
@options.as_json
def create(
    *,
    slug: str,
    url: str | None,
    events: Sequence[str],
    description: str | None,
    is_active: bool | None,
    as_json: bool,
) -> None:
    """Create a webhook.

    --url and at least one --event are required. The signing secret is printed once and cannot be printed again.
    """
    if url is None or not events:
        raise click.UsageError("Give --url and at least one --event.")
    draft = WebhookCreate(
        url=url, events=_unique(events), description=description or None, is_active=is_active is not False
    )
    with _named_setting(), runtime.company_context(slug, write=True) as ctx:
        row = webhook_with_secret(webhooks.create(ctx, draft))
    if as_json:
        output.document(row)
        return
    output.note(f"Created the webhook {row['id']}.")
    output.note(SECRET_NOTE)
    output.text(row["secret"])


@click.command()
@click.argument("webhook_id", metavar="WEBHOOK_ID", type=options.TEXT)
@options.company
@url
@events
@description
@active
@options.as_json
def update(webhook_id: str, slug: str, events: Sequence[str], as_json: bool, **given: Any) -> None:
    """Change a webhook.

    Options that are absent change nothing. The events replace the current ones.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if events:
        fields["events"] = _unique(events)
    if not fields:
        raise click.UsageError("Nothing to change: give --url, --event, --description, --active or --inactive.")
    if "description" in fields:
        fields["description"] = fields["description"] or None
    with _named_setting(), runtime.company_context(slug, write=True) as ctx:
        row = WEBHOOK.render(webhooks.update(ctx, webhook_id, WebhookUpdate(**fields)))
    output.record(row, as_json=as_json)


@click.command()
@click.argument("webhook_id", metavar="WEBHOOK_ID", type=options.TEXT)
@options.company
@options.as_json
def delete(webhook_id: str, slug: str, as_json: bool) -> None:
    """Delete a webhook.

    No further events are sent to it.
    """
    with runtime.company_context(slug, write=True) as ctx:
        webhooks.delete(ctx, webhook_id)
    row: Json = {"id": webhook_id, "deleted": True}
    output.record(row, as_json=as_json)


def _unique(events: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(events))


@contextlib.contextmanager
def _named_setting() -> Iterator[None]:
    """Name the setting that refuses a URL, which the API does not show to its clients."""
    try:
        yield
    except DestinationError as error:
        text = str(error)
        raise click.ClickException(text if error.cause == text else f"url is not allowed: {error.cause}.") from error
