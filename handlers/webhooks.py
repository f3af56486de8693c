"""Operations tagged Webhooks (contract, sections 8 and 9.5)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.responses import accepted, created
from app.schemas.webhooks import (
    DELIVERY,
    WEBHOOK,
    WEBHOOK_CREATE,
    WEBHOOK_RECOVER,
    WEBHOOK_SECRET_ROTATE,
    WEBHOOK_UPDATE,
    delivery_response,
    secret_response,
    webhook_delivery,
)
from app.services import deliveries, events, webhooks
from app.services.versions import Version, versioned


def list_webhooks(ctx: Context) -> Json:
    """Return every webhook."""
    return envelope([WEBHOOK.render(webhook) for webhook in webhooks.list_all(ctx)], None)


@versioned(Version.of(WEBHOOK, webhooks.SELECT_ONE), id="webhook_id")
def get_webhook(ctx: Context, webhook_id: str) -> StatusResponse:
    """Return one webhook."""
    return WEBHOOK.one(webhooks.get(ctx, webhook_id))


def create_webhook(ctx: Context, body: Json) -> StatusResponse:
    """Create a webhook and return it with its secret."""
    webhook = webhooks.create(ctx, WEBHOOK_CREATE.load(body))
    return created(secret_response(webhook), f"/webhooks/{webhook.id}")


def update_webhook(ctx: Context, webhook_id: str, body: Json) -> StatusResponse:
    """Update a webhook and return it."""
    return WEBHOOK.one(webhooks.update(ctx, webhook_id, WEBHOOK_UPDATE.load(body)))


def delete_webhook(ctx: Context, webhook_id: str) -> Json:
    """Delete a webhook and return its id."""
    webhooks.delete(ctx, webhook_id)
    return {"data": {"id": webhook_id, "deleted": True}}


def rotate_webhook_secret(ctx: Context, webhook_id: str, body: Json) -> StatusResponse:
    """Rotate the secret of a webhook and return both."""
    webhook = webhooks.rotate_secret(ctx, webhook_id, WEBHOOK_SECRET_ROTATE.load(body))
    return secret_response(webhook)


def test_webhook(ctx: Context, webhook_id: str) -> StatusResponse:
    """Queue a test event and return its delivery."""
    return accepted(delivery_response(events.test(ctx, webhook_id)))


def recover_webhook(ctx: Context, webhook_id: str, body: Json) -> StatusResponse:
    """Queue missed events and return how many."""
    result = deliveries.recover(ctx, webhook_id, WEBHOOK_RECOVER.load(body))
    return accepted(({"data": {"count": result.count, "hasMore": result.has_more}}, 200, {}))


def list_webhook_deliveries(ctx: Context, webhook_id: str, **query: Any) -> Json:
    """Return a page of a webhook's deliveries."""
    found = deliveries.page(ctx, webhook_id, **query)
    return envelope([webhook_delivery(row) for row in found.rows], found.next_cursor)


@versioned(Version.of(DELIVERY, deliveries.SELECT_ONE), webhook_id="webhook_id", id="delivery_id")
def get_webhook_delivery(ctx: Context, webhook_id: str, delivery_id: str) -> StatusResponse:
    """Return one delivery."""
    return delivery_response(deliveries.get(ctx, webhook_id, delivery_id))


def redeliver_webhook_delivery(ctx: Context, webhook_id: str, delivery_id: str) -> StatusResponse:
    """Queue the event of a delivery again and return the new delivery."""
    return accepted(delivery_response(deliveries.redeliver(ctx, webhook_id, delivery_id)))
