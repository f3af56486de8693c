"""Operations tagged Webhooks (contract, sections 8 and 9.5)."""

from typing import Any

from app.context import Context
from app.schemas.base import Created, Json, envelope
from app.schemas.webhooks import DeliverySchema, WebhookSchema, load_times
from app.services import deliveries, events, webhooks

SCHEMA = WebhookSchema()
DELIVERY = DeliverySchema()

Queued = tuple[Json, int, dict[str, str]]  # body, status, headers


def list_webhooks(ctx: Context) -> Json:
    """Return every webhook."""
    return envelope([SCHEMA.render(each) for each in webhooks.list_all(ctx)], None)


def get_webhook(ctx: Context, webhook_id: str) -> Json:
    """Return one webhook."""
    return SCHEMA.one(webhooks.get(ctx, webhook_id))


def create_webhook(ctx: Context, body: Json) -> Created:
    """Return the new webhook with its secret, and where it is."""
    webhook = webhooks.create(ctx, SCHEMA.load(body))
    return SCHEMA.with_secret(webhook), 201, {"Location": f"/api/v1/webhooks/{webhook.id}"}


def update_webhook(ctx: Context, webhook_id: str, body: Json) -> Json:
    """Return the changed webhook."""
    return SCHEMA.one(webhooks.update(ctx, webhook_id, SCHEMA.load(body)))


def delete_webhook(ctx: Context, webhook_id: str) -> Json:
    """Return what was deleted."""
    webhooks.delete(ctx, webhook_id)
    return {"data": {"id": webhook_id, "deleted": True}}


def rotate_webhook_secret(ctx: Context, webhook_id: str, body: Json) -> Json:
    """Return the webhook with its new secret."""
    grace = body.get("graceSeconds", webhooks.DAY_SECONDS)
    return SCHEMA.with_secret(webhooks.rotate_secret(ctx, webhook_id, grace))


def test_webhook(ctx: Context, webhook_id: str) -> Queued:
    """Return the delivery of a test event."""
    return DELIVERY.one(events.test(ctx, webhook_id)), 202, {}


def recover_webhook(ctx: Context, webhook_id: str, body: Json) -> Queued:
    """Return how many missed events were queued."""
    count, has_more = deliveries.recover(ctx, webhook_id, **load_times(body))
    return {"data": {"count": count, "hasMore": has_more}}, 202, {}


def list_webhook_deliveries(ctx: Context, webhook_id: str, **query: Any) -> Json:
    """Return a page of deliveries."""
    found = deliveries.page(ctx, webhook_id, **query)
    return DELIVERY.page(found.rows, found.next_cursor)


def get_webhook_delivery(ctx: Context, webhook_id: str, delivery_id: str) -> Json:
    """Return one delivery."""
    return DELIVERY.one(deliveries.get(ctx, webhook_id, delivery_id))


def redeliver_webhook_delivery(ctx: Context, webhook_id: str, delivery_id: str) -> Queued:
    """Return the delivery that repeats another one."""
    return DELIVERY.one(deliveries.redeliver(ctx, webhook_id, delivery_id)), 202, {}
