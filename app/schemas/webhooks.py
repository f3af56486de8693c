"""Webhooks, their deliveries and events as JSON, in and out (contract, section 8)."""

from datetime import datetime
from typing import Any

import orjson
from marshmallow import fields

from app.errors import BODY
from app.queries.rows import Row
from app.schemas.base import Json, RowSchema, Timestamp
from app.schemas.times import load_time

OUTCOMES = {None: "PENDING", True: "SUCCEEDED", False: "FAILED"}


class WebhookRow(Row):
    """A webhook without its secret."""

    id: str
    url: str
    events: list[str]
    is_active: bool
    secret_rotation_grace_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookSchema(RowSchema[Any]):
    """What a client sees of a webhook, and may set of one. The secret is no part of it."""

    id = fields.String(dump_only=True)
    url = fields.String()
    events = fields.List(fields.String())
    is_active = fields.Boolean()
    secret_rotation_grace_expires_at = Timestamp(dump_only=True)
    created_at = Timestamp(dump_only=True)
    updated_at = Timestamp(dump_only=True)

    def with_secret(self, row: Any) -> Json:
        """Return a webhook and its secret, which is shown when it is drawn and never again."""
        return {"data": {**self.render(row), "secret": row.secret}}


class DeliveryRow(Row):
    """A delivery."""

    id: str
    webhook_id: str
    event_id: str
    event: str
    attempt: int
    success: bool | None
    status_code: int | None
    response_body: str | None
    duration_ms: int | None
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    created_at: datetime


class EventRow(Row):
    """An event as it is delivered."""

    id: str
    payload: str


class DeliverySchema(RowSchema[Any]):
    """What a client sees of a delivery."""

    id = fields.String()
    webhook_id = fields.String()
    event_id = fields.String()
    event = fields.String()
    attempt = fields.Integer()
    success = fields.Boolean()
    status_code = fields.Integer()
    response_body = fields.String()
    duration_ms = fields.Integer()
    attempted_at = Timestamp()
    next_attempt_at = Timestamp()
    created_at = Timestamp()

    def render(self, row: Any) -> Json:
        """Add the outcome in one word."""
        shown = super().render(row)
        return {**shown, "outcome": OUTCOMES[shown["success"]]}


def event(row: Any) -> Json:
    """Return an event as its receivers get it."""
    body: Json = orjson.loads(row.payload)
    return body


def load_times(body: Json) -> Json:
    """Return `body` with its times as moments. Raises InvalidTimeError naming the one that is none."""
    return {name: load_time(name, value, parent=BODY) for name, value in body.items()}
