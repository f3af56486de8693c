"""Webhooks: list, get, create, update, delete, rotate the secret (contract, sections 8 and 9.5).

Not here: which secrets sign (`app/services/webhook_secrets.py`), deliveries (`app/services/deliveries.py`), and how
they are sent (`app/delivery`).
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from app import egress
from app.context import Context, not_before
from app.egress import DestinationError
from app.errors import NotFoundError, RotationLimitError, WebhookLimitError
from app.queries import rows, tenant
from app.schemas.base import timestamp
from app.schemas.webhooks import WebhookRow, WebhookSchema
from app.services import audit, webhook_secrets
from app.services.webhook_secrets import MAX_EARLIER, EarlierSecret
from models import KEPT_DAYS, Company, Webhook, new_id
from models.base import table

LOG = logging.getLogger(__name__)
TABLE = table(Webhook)
SCHEMA = WebhookSchema()
MAX_WEBHOOKS = 10
DAY_SECONDS = 86_400
FORGOTTEN_AFTER = timedelta(days=KEPT_DAYS + 1)
MAX_GRACE_SECONDS = 7 * DAY_SECONDS

NOW = bindparam("now", type_=TABLE.c.created_at.type)
GRACE = TABLE.c.secret_rotation_grace_expires_at
OLDER = TABLE.c.older_secrets_expire_at
LATEST_END = sa.case((sa.and_(OLDER > NOW, OLDER > GRACE), OLDER), (GRACE > NOW, GRACE)).label(GRACE.name)
SHOWN = [LATEST_END if each is GRACE else each for each in rows.columns(WebhookRow, TABLE)]
WITH_SECRET = [*SHOWN, TABLE.c.secret]
SECRETS = tenant.select(TABLE.c.previous_secret, GRACE, TABLE.c.older_secrets).where(TABLE.c.id == bindparam("id"))
IS_THERE = TABLE.c.deleted_at.is_(None)
ALL = tenant.select(*SHOWN).where(IS_THERE).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc())
ONE = tenant.select(*WITH_SECRET).where(IS_THERE, TABLE.c.id == bindparam("id"))
LOCKED = ONE.with_for_update(key_share=True)
COUNT = select(sa.func.count()).select_from(TABLE).where(tenant.where(TABLE), IS_THERE)
# Whoever adds a webhook waits for who is adding one, so that both cannot be the tenth.
ADDING = select(Company.id).where(Company.id == bindparam("own_id")).with_for_update(key_share=True)

Values = dict[str, Any]


def list_all(ctx: Context) -> Sequence[Row[Any]]:
    """Return every webhook of the company, newest first: there are at most MAX_WEBHOOKS."""
    return ctx.session.execute(ALL, tenant.params(ctx, now=ctx.now)).all()


def get(ctx: Context, webhook_id: str) -> Row[Any]:
    """Return one webhook, its secret included. Raises NotFoundError for an unknown or foreign id."""
    return _found(ctx, ONE, webhook_id)


def lock(ctx: Context, webhook_id: str) -> Row[Any]:
    """Return a webhook that nobody else may change or delete meanwhile. Raises NotFoundError."""
    return _found(ctx, LOCKED, webhook_id)


def create(ctx: Context, values: Values) -> Row[Any]:
    """Add a webhook with a fresh secret. Raises DestinationError, and WebhookLimitError beyond MAX_WEBHOOKS."""
    _check_url(ctx, values["url"])
    ctx.session.execute(ADDING, {"own_id": ctx.company_id})
    if ctx.session.execute(COUNT, tenant.params(ctx)).scalar_one() >= MAX_WEBHOOKS:
        raise WebhookLimitError(MAX_WEBHOOKS)
    webhook_id = new_id(ctx.now)
    row = {
        "is_active": True,
        **_folded(values),
        "id": webhook_id,
        "company_id": ctx.company_id,
        "secret": webhook_secrets.generate(),
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)
    webhook = get(ctx, webhook_id)
    audit.record(ctx, "webhook.created", "webhook", webhook_id, {"after": SCHEMA.render(webhook)})
    return webhook


def update(ctx: Context, webhook_id: str, values: Values) -> Row[Any]:
    """Change a webhook; what changes nothing leaves no trace. Raises NotFoundError and DestinationError.

    Switching it on begins anew: it is not blamed for what failed before.
    """
    before = lock(ctx, webhook_id)
    ctx = not_before(ctx, before.updated_at)
    if "url" in values:
        _check_url(ctx, values["url"], before.url)
    changed = {name: value for name, value in _folded(values).items() if getattr(before, name) != value}
    if not changed:
        return before
    forgiven = {"failing_since": None} if changed.get("is_active") or "url" in changed else {}
    after = _write(ctx, webhook_id, {**changed, **forgiven})
    details = audit.changes(SCHEMA.render(before), SCHEMA.render(after))
    audit.record(ctx, "webhook.updated", "webhook", webhook_id, details)
    return after


def delete(ctx: Context, webhook_id: str) -> None:
    """Remove a webhook; nothing more is sent to it. Raises NotFoundError.

    Its row stays until `forget_deleted`: the deliveries that refer to it go by and by, with the events they bring.
    """
    before = lock(ctx, webhook_id)
    values = {"deleted_at": ctx.now, "is_active": False, **webhook_secrets.columns([])}
    ctx.session.execute(tenant.update(TABLE).values(**values), tenant.params(ctx, row_id=webhook_id))
    audit.record(ctx, "webhook.deleted", "webhook", webhook_id, {"before": SCHEMA.render(before)})


def rotate_secret(ctx: Context, webhook_id: str, grace_seconds: int = DAY_SECONDS) -> Row[Any]:
    """Give a webhook a new secret; the one before it signs too until the grace is over, and so do those before it.

    Without grace all of them end. Raises NotFoundError, and RotationLimitError when MAX_EARLIER of them sign.
    """
    before = lock(ctx, webhook_id)
    ctx = not_before(ctx, before.updated_at)
    kept = _kept(ctx, before, timedelta(seconds=grace_seconds)) if grace_seconds else []
    after = _write(ctx, webhook_id, {"secret": webhook_secrets.generate(), **webhook_secrets.columns(kept)})
    audit.record(ctx, "webhook.secret_rotated", "webhook", webhook_id, {"after": {"graceSeconds": grace_seconds}})
    return after


def disable(ctx: Context, webhook_id: str, reason: str) -> None:
    """Switch a webhook off for `reason`; one that is off already stays as it is and leaves no trace."""
    statement = tenant.update(TABLE).where(TABLE.c.is_active).values(is_active=False, updated_at=ctx.now)
    if ctx.session.execute(statement.returning(TABLE.c.id), tenant.params(ctx, row_id=webhook_id)).one_or_none():
        audit.record(ctx, "webhook.disabled", "webhook", webhook_id, {"reason": reason})


def forget_deleted(session: Session, now: datetime) -> None:
    """Remove the rows of webhooks that were deleted so long ago that no delivery refers to them any more."""
    session.execute(sa.delete(TABLE).where(TABLE.c.deleted_at < NOW), {"now": now - FORGOTTEN_AFTER})


def _kept(ctx: Context, webhook: Row[Any], grace: timedelta) -> list[EarlierSecret]:
    """Return the secrets that sign on after a rotation. Raises RotationLimitError."""
    earlier = webhook_secrets.earlier(ctx.session.execute(SECRETS, tenant.params(ctx, id=webhook.id)).one(), ctx.now)
    if len(earlier) >= MAX_EARLIER:
        raise RotationLimitError(MAX_EARLIER, timestamp(min(secret.expires_at for secret in earlier)))
    return [EarlierSecret(webhook.secret, ctx.now + grace), *earlier]


def _check_url(ctx: Context, url: str, before: str | None = None) -> None:
    """Refuse a URL that a webhook may not have; the operator's log names the setting that would allow it."""
    try:
        if url != before:
            egress.check_characters(url)
        egress.parse(url, ctx.egress_policy)
    except DestinationError as error:
        LOG.info("the URL of a webhook was refused: %s (request %s)", error.cause, ctx.request_id)
        raise


def _folded(values: Values) -> Values:
    """Return values with each event named once."""
    return {**values, "events": list(dict.fromkeys(values["events"]))} if "events" in values else values


def _write(ctx: Context, webhook_id: str, values: Values) -> Row[Any]:
    ctx.session.execute(
        tenant.update(TABLE).values(**values, updated_at=ctx.now), tenant.params(ctx, row_id=webhook_id)
    )
    return get(ctx, webhook_id)


def _found(ctx: Context, statement: Any, webhook_id: str) -> Row[Any]:
    webhook: Row[Any] | None = ctx.session.execute(
        statement, tenant.params(ctx, id=webhook_id, now=ctx.now)
    ).one_or_none()
    if webhook is None:
        raise NotFoundError("Webhook")
    return webhook
