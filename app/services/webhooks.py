"""Webhooks: list, get, create, update, delete, rotate the secret (contract, sections 8 and 9.5).

Not in this module: which secrets are valid (`app/services/webhook_secrets.py`), the deliveries to a webhook
(`app/services/deliveries.py`), and how they are sent (`app/delivery`).
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from app import egress
from app.context import Context, later_than
from app.egress import DestinationError
from app.errors import NotFoundError, RefusalError
from app.queries import rows, tenant
from app.queries.rows import AnyColumn, Parameters, Row, Statement, Write
from app.queries.written_rows import Insert, WrittenRow
from app.schemas.base import NOT_GIVEN, given, timestamp
from app.schemas.webhooks import (
    WEBHOOK,
    WebhookCreate,
    WebhookRow,
    WebhookSecretRotate,
    WebhookUpdate,
    WebhookWithSecretRow,
)
from app.services import audit, companies, webhook_secrets
from app.services.webhook_secrets import MAX_EARLIER, EarlierSecret, WebhookSecretsRow
from models import RETENTION_DAYS, Webhook, new_id
from models.base import NextMillisecond, table


class WebhookLimitError(RefusalError):
    """The company has the maximum number of webhooks."""

    code = "webhook_limit_reached"

    def __init__(self, maximum: int) -> None:
        """Initialize with the maximum number."""
        super().__init__(f"Webhook limit reached. A company can have at most {maximum}.")


class RotationLimitError(RefusalError):
    """The maximum number of earlier secrets of a webhook are still valid."""

    code = "rotation_limit_reached"

    def __init__(self, maximum: int, next_possible_at: str) -> None:
        """Initialize with that number, and the time when the first of them expires."""
        super().__init__(
            f"{maximum} earlier secrets are still valid. Rotate after {next_possible_at}, or set graceSeconds to 0.",
            nextPossibleAt=next_possible_at,
        )


LOG = logging.getLogger(__name__)
TABLE = table(Webhook)
MAX_WEBHOOKS = 10
MAX_GRACE_SECONDS = 604_800
RETENTION = timedelta(days=RETENTION_DAYS + 1)  # of deleted webhooks: longer than that of their deliveries

REQUEST_TIME = bindparam("now", type_=TABLE.c.created_at.type)
NEWEST_EXPIRY = TABLE.c.secret_rotation_grace_expires_at
OLDER_EXPIRY = TABLE.c.older_secrets_expire_at
LATEST_EXPIRY = sa.case(
    (sa.and_(OLDER_EXPIRY > REQUEST_TIME, OLDER_EXPIRY > NEWEST_EXPIRY), OLDER_EXPIRY),
    (NEWEST_EXPIRY > REQUEST_TIME, NEWEST_EXPIRY),
).label(NEWEST_EXPIRY.name)


def _columns(row_type: type[Row]) -> list[AnyColumn]:
    """Return the columns of a row type; clients see when the last of the earlier secrets expires."""
    return [LATEST_EXPIRY if column is NEWEST_EXPIRY else column for column in rows.columns(row_type, TABLE)]


IS_NOT_DELETED = TABLE.c.deleted_at.is_(None)
SELECT_BY_ID = tenant.select(*_columns(WebhookWithSecretRow)).where(IS_NOT_DELETED, TABLE.c.id == bindparam("id"))
SELECT_ONE = Statement(WebhookWithSecretRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(WebhookWithSecretRow, SELECT_BY_ID.with_for_update(key_share=True))
SELECT_ALL = Statement(
    WebhookRow,
    tenant.select(*_columns(WebhookRow)).where(IS_NOT_DELETED).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc()),
)
SELECT_SECRETS = Statement(
    WebhookSecretsRow,
    tenant.select(*rows.columns(WebhookSecretsRow, TABLE)).where(TABLE.c.id == bindparam("id")),
)
SELECT_COUNT = sa.select(sa.func.count()).select_from(TABLE).where(tenant.where(TABLE), IS_NOT_DELETED)
INSERT = Insert(WebhookWithSecretRow, TABLE, rows.columns(WebhookWithSecretRow, TABLE))
UPDATE = Write(tenant.update(TABLE))
WRITTEN = WrittenRow(WebhookWithSecretRow, TABLE, rows.columns(WebhookWithSecretRow, TABLE))
UPDATED_AT = TABLE.c.updated_at
UPDATE_DISABLED = Write(
    tenant.update(TABLE)
    .where(TABLE.c.is_active)
    .values(
        is_active=False,
        updated_at=sa.case((UPDATED_AT >= REQUEST_TIME, NextMillisecond(UPDATED_AT)), else_=REQUEST_TIME),
    )
)
DELETE_EXPIRED = Write(sa.delete(TABLE).where(TABLE.c.deleted_at < REQUEST_TIME))


def list_all(ctx: Context) -> Sequence[WebhookRow]:
    """Return every webhook of the company, newest first. There are at most MAX_WEBHOOKS."""
    return SELECT_ALL.all(ctx.session, tenant.params(ctx, now=ctx.now))


def get(ctx: Context, webhook_id: str) -> WebhookWithSecretRow:
    """Return one webhook. Raises NotFoundError if the company has no such webhook."""
    return _one(ctx, SELECT_ONE, webhook_id)


def lock(ctx: Context, webhook_id: str) -> WebhookWithSecretRow:
    """Return one webhook, locked until the transaction ends. Raises NotFoundError."""
    return _one(ctx, SELECT_ONE_FOR_UPDATE, webhook_id)


def create(ctx: Context, draft: WebhookCreate) -> WebhookWithSecretRow:
    """Create a webhook with a new secret. Raises DestinationError, and WebhookLimitError beyond MAX_WEBHOOKS."""
    _check_url(ctx, draft.url)
    companies.lock(ctx)
    if ctx.session.execute(SELECT_COUNT, tenant.params(ctx)).scalar_one() >= MAX_WEBHOOKS:
        raise WebhookLimitError(MAX_WEBHOOKS)
    webhook_id = new_id(ctx.now)
    row = {
        **asdict(draft),
        "id": webhook_id,
        "company_id": ctx.company_id,
        "secret": webhook_secrets.generate(),
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    webhook = INSERT.one(ctx.session, row)
    audit.record(ctx, "webhook.created", "webhook", webhook_id, {"after": WEBHOOK.render(webhook)})
    return webhook


def update(ctx: Context, webhook_id: str, draft: WebhookUpdate) -> WebhookWithSecretRow:
    """Update a webhook. An update that changes nothing is not recorded.

    If a webhook is enabled or its URL changes, earlier failures no longer count towards disabling it. Raises
    NotFoundError, PreconditionFailedError and DestinationError.
    """
    before = lock(ctx, webhook_id)
    ctx.precondition.check(before, WEBHOOK.tag)
    ctx = later_than(ctx, before.updated_at)
    if draft.url is not NOT_GIVEN:
        _check_url(ctx, draft.url, before.url)
    changed = {name: value for name, value in given(draft).items() if getattr(before, name) != value}
    if not changed:
        return before
    if changed.get("is_active") or "url" in changed:
        changed["failing_since"] = None
    after = _update(ctx, before, changed)
    details = audit.changes(WEBHOOK.render(before), WEBHOOK.render(after))
    audit.record(ctx, "webhook.updated", "webhook", webhook_id, details)
    return after


def delete(ctx: Context, webhook_id: str) -> None:
    """Delete a webhook. No further deliveries are sent to it. Raises NotFoundError and PreconditionFailedError.

    Its row stays until `delete_expired`, because it may have too many deliveries to delete together. They expire first.
    """
    before = lock(ctx, webhook_id)
    ctx.precondition.check(before, WEBHOOK.tag)
    ctx = later_than(ctx, before.updated_at)
    values = {"deleted_at": ctx.now, "is_active": False, **webhook_secrets.columns([])}
    UPDATE.one(ctx.session, tenant.params(ctx, row_id=webhook_id, **values))
    audit.record(ctx, "webhook.deleted", "webhook", webhook_id, {"before": WEBHOOK.render(before)})


def rotate_secret(ctx: Context, webhook_id: str, rotation: WebhookSecretRotate) -> WebhookWithSecretRow:
    """Generate a new secret. The current one stays valid for the grace period; earlier ones keep theirs.

    A grace period of 0 invalidates all of them. Raises NotFoundError, and RotationLimitError if MAX_EARLIER are valid.
    """
    before = lock(ctx, webhook_id)
    ctx = later_than(ctx, before.updated_at)
    grace = timedelta(seconds=rotation.grace_seconds)
    kept = _kept_secrets(ctx, before, grace) if grace else []
    written = _update(ctx, before, {"secret": webhook_secrets.generate(), **webhook_secrets.columns(kept)})
    latest = max((secret.expires_at for secret in kept), default=None)
    after = WRITTEN.updated(written, {NEWEST_EXPIRY.name: latest})  # as clients see it
    details = {"after": {"graceSeconds": rotation.grace_seconds}}
    audit.record(ctx, "webhook.secret_rotated", "webhook", webhook_id, details)
    return after


def disable(ctx: Context, webhook_id: str, reason: str) -> None:
    """Disable a webhook for `reason`. If it is disabled already, nothing is changed or recorded."""
    parameters = tenant.params(ctx, row_id=webhook_id, now=ctx.now)
    if UPDATE_DISABLED.count(ctx.session, [parameters]):
        audit.record(ctx, "webhook.disabled", "webhook", webhook_id, {"reason": reason})


def delete_expired(session: Session, now: datetime) -> None:
    """Delete the rows of deleted webhooks whose deliveries have all expired."""
    DELETE_EXPIRED.one(session, {"now": now - RETENTION})


def _kept_secrets(ctx: Context, webhook: WebhookWithSecretRow, grace: timedelta) -> list[EarlierSecret]:
    """Return the secrets that stay valid after a rotation. Raises RotationLimitError."""
    row = SELECT_SECRETS.one(ctx.session, tenant.params(ctx, id=webhook.id))
    earlier = webhook_secrets.earlier(row, ctx.now)
    if len(earlier) >= MAX_EARLIER:
        raise RotationLimitError(MAX_EARLIER, timestamp(min(secret.expires_at for secret in earlier)))
    return [EarlierSecret(webhook.secret, ctx.now + grace), *earlier]


def _check_url(ctx: Context, url: str, before: str | None = None) -> None:
    """Raise DestinationError for a URL that is not allowed, and log which setting would allow it."""
    try:
        if url != before:
            egress.check_characters(url)
        egress.parse(url, ctx.egress_policy)
    except DestinationError as error:
        LOG.info("the URL of a webhook was refused: %s (request %s)", error.cause, ctx.request_id)
        raise


def _update(ctx: Context, before: WebhookWithSecretRow, values: Parameters) -> WebhookWithSecretRow:
    """Update a locked webhook and return it."""
    parameters = tenant.params(ctx, row_id=before.id, **values, updated_at=ctx.now)
    UPDATE.one(ctx.session, parameters)
    return WRITTEN.updated(before, parameters)


def _one(ctx: Context, statement: Statement[WebhookWithSecretRow], webhook_id: str) -> WebhookWithSecretRow:
    webhook = statement.one_or_none(ctx.session, tenant.params(ctx, id=webhook_id, now=ctx.now))
    if webhook is None:
        raise NotFoundError("Webhook")
    return webhook
