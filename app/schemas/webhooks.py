"""Webhooks and deliveries as JSON, in responses and requests (contract, section 8).

Not in this module: the payloads of events (`app/schemas/events.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from marshmallow import fields

from app.errors import BODY
from app.queries.rows import Row
from app.schemas.base import (
    NOT_GIVEN,
    DraftSchema,
    Json,
    NotGiven,
    Schema,
    StatusResponse,
    TrimmedText,
    row_schema,
    tagged,
)
from app.schemas.times import load_time

DAY_SECONDS = 86_400
OUTCOMES = {None: "PENDING", True: "SUCCEEDED", False: "FAILED"}  # by the column `success`


class WebhookRow(Row):
    """A webhook without its secret."""

    id: str
    url: str
    events: list[str]
    description: str | None
    is_active: bool
    secret_rotation_grace_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookWithSecretRow(WebhookRow):
    """A webhook and its newest secret."""

    secret: str


class WebhookDeliveryRow(Row):
    """A delivery: one attempt to send one event to one webhook. `payload` is the body that was or will be sent."""

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
    payload: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookCreate:
    """A webhook to be created."""

    url: str
    events: Sequence[str]
    description: str | None = None
    is_active: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookUpdate:
    """Changes to a webhook. Fields that are absent do not change."""

    url: str | NotGiven = NOT_GIVEN
    events: Sequence[str] | NotGiven = NOT_GIVEN
    description: str | NotGiven | None = NOT_GIVEN
    is_active: bool | NotGiven = NOT_GIVEN


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookSecretRotate:
    """The options of a rotation. `grace_seconds` is how long the current secret stays valid."""

    grace_seconds: int = DAY_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRecover:
    """The time range of the events to recover. It ends now unless `until` is given."""

    since: datetime
    until: datetime | None = None


class UniqueList(fields.List[Any]):
    """A list without duplicates, in the order of first occurrence."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


class Time(fields.Field[datetime]):
    """A date or a time in ISO 8601. Loading raises InvalidTimeError."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        return load_time(str(attr), value, parent=BODY)


class StoredTime(Time):
    """A time to the millisecond, as it is stored. Loading raises InvalidTimeError."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        at = super()._deserialize(value, attr, data, **kwargs)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


class WebhookFields(Schema):
    """The fields of a webhook that a client may set."""

    url = fields.String()
    events = UniqueList(fields.String())
    description = TrimmedText(allow_none=True)
    is_active = fields.Boolean()


class WebhookCreateSchema(WebhookFields, DraftSchema[WebhookCreate]):
    """The body that creates a webhook."""


class WebhookUpdateSchema(WebhookFields, DraftSchema[WebhookUpdate]):
    """The body that updates a webhook."""


class WebhookSecretRotateSchema(DraftSchema[WebhookSecretRotate]):
    """The body that rotates a secret."""

    grace_seconds = fields.Integer()


class WebhookRecoverSchema(DraftSchema[WebhookRecover]):
    """The body that recovers missed events."""

    since = Time()
    until = Time()


# The end of the grace period is shown until it has passed, which does not change the row.
WEBHOOK = row_schema(WebhookRow, version=("id", "updated_at", "secret_rotation_grace_expires_at"))
DELIVERY = row_schema(WebhookDeliveryRow, version=("id", "success"))  # written once, when the attempt has ended
WEBHOOK_CREATE = WebhookCreateSchema()
WEBHOOK_UPDATE = WebhookUpdateSchema()
WEBHOOK_SECRET_ROTATE = WebhookSecretRotateSchema()
WEBHOOK_RECOVER = WebhookRecoverSchema()


def webhook_with_secret(webhook: WebhookWithSecretRow) -> Json:
    """Return the JSON object of a webhook and its secret, which is returned only when it is generated."""
    return {**WEBHOOK.render(webhook), "secret": webhook.secret}


def webhook_delivery(row: WebhookDeliveryRow) -> Json:
    """Return the JSON object of a delivery, with its outcome in one word and its payload as an object."""
    return {**DELIVERY.render(row), "outcome": OUTCOMES[row.success], "payload": orjson.loads(row.payload)}


def secret_response(webhook: WebhookWithSecretRow) -> StatusResponse:
    """Return the response 200 with a webhook and its secret. The entity tag is that of the webhook without it."""
    return tagged(webhook_with_secret(webhook), WEBHOOK.tag(webhook))


def delivery_response(row: WebhookDeliveryRow) -> StatusResponse:
    """Return the response 200 with a delivery and its entity tag."""
    return tagged(webhook_delivery(row), DELIVERY.tag(row))
