"""`distribu key`: the API keys of a company (contract, section 1)."""

from datetime import datetime

import click
from marshmallow import fields
from sqlalchemy.orm import Session

from app import context
from app.cli import options, output, runtime
from app.context import Context
from app.schemas.api_keys import ApiKeyRotate
from app.schemas.base import Json, Schema, Timestamp
from app.schemas.webhooks import DAY_SECONDS
from app.services import companies, key_rotation, keys
from models import ApiKey, Scope

ALL = "all"


class KeySchema(Schema):
    """A key as the command shows it, without its plaintext."""

    id = fields.String()
    name = fields.String()
    prefix = fields.String()
    scopes = fields.List(fields.String())
    last_used_at = Timestamp()
    created_at = Timestamp()
    created_by = fields.String()
    expires_at = Timestamp()
    status = fields.Function(lambda key: key.status(context.now()).value)
    rate_limit = fields.Function(lambda key: key.rate_limit and key.rate_limit.replace(" per 1 ", "/"))
    allowed_networks = fields.List(fields.String())
    revoked_at = Timestamp()
    replaced_by = fields.String()


SHOWN = KeySchema()
LISTED = KeySchema(exclude=("revoked_at", "replaced_by"))
CREATED = KeySchema(only=("id", "name", "prefix", "scopes", "expires_at"))
REVOKED = KeySchema(only=("id", "name", "prefix", "status"))
UPDATED = KeySchema(only=("id", "name", "prefix", "rate_limit"))

identifier = click.argument("identifier", metavar="PREFIX_OR_ID", type=options.TEXT)
company = click.option(
    "--company",
    "slug",
    metavar="SLUG",
    type=options.TEXT,
    help="The slug of the company, needed only if several keys have this prefix.",
)


@click.group()
def key() -> None:
    """Create, list, show, change, rotate and revoke API keys."""


@key.command()
@options.company
@click.option("--name", type=options.TEXT, required=True, help="What the key is for (up to 100 characters).")
@click.option(
    "--scope",
    "scopes",
    metavar="SCOPE",
    type=click.Choice([*(scope.value for scope in Scope), ALL]),
    multiple=True,
    required=True,
    help=f"What the key may do. Repeat the option for several scopes: {', '.join(Scope)}, or {ALL}.",
)
@click.option(
    "--expires",
    "expires_at",
    type=options.TIME,
    show_default="never",
    help="When the key expires (ISO 8601, UTC by default).",
)
@click.option(
    "--rate-limit",
    type=options.RATE_LIMIT,
    show_default="DISTRIBU_RATE_LIMIT",
    help="Rate limit of the key, for example 600/minute.",
)
@click.option(
    "--network",
    "networks",
    type=options.CIDR,
    multiple=True,
    show_default="every address",
    help="Network from which the key may be used, for example 192.0.2.0/24. Repeat the option for several networks.",
)
@options.as_json
def create(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    rate_limit: str | None,
    networks: tuple[str, ...],
    as_json: bool,
) -> None:
    """Create an API key.

    The key is printed once. It cannot be printed again, because only its hash is stored.
    """
    allowed = list(Scope) if ALL in scopes else [Scope(scope) for scope in scopes]
    with runtime.company_context(slug, write=True) as ctx:
        created, plaintext = keys.create(
            ctx, name=name, scopes=allowed, expires_at=expires_at, rate_limit=rate_limit, allowed_networks=networks
        )
    message = f"Created the API key '{created.name}' with the scopes {', '.join(created.scopes)}."
    _show_plaintext(created, plaintext, message, as_json=as_json)


@key.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the API keys of a company, newest first.

    The list includes revoked and expired keys.
    """
    with runtime.company_context(slug) as ctx:
        rows = [LISTED.dump(row) for row in keys.list_all(ctx)]
    empty = f"There are no API keys yet. Create one: distribu key create --company {slug} --name NAME --scope SCOPE"
    columns = ["id", "name", "prefix", "status", "rateLimit", "scopes", "lastUsedAt", "expiresAt", "allowedNetworks"]
    output.records(
        rows if as_json else [_shown(row) for row in rows],
        as_json=as_json,
        columns=[*columns, "createdAt", "createdBy"],
        empty=empty,
    )


@key.command()
@identifier
@company
@options.as_json
def show(identifier: str, slug: str | None, as_json: bool) -> None:
    """Show one API key, without the key itself."""
    with runtime.transaction() as session:
        _, found = _locked(session, identifier, slug)
        row = SHOWN.dump(found)
    output.record(row if as_json else _shown(row), as_json=as_json)


@key.command()
@identifier
@company
@click.option(
    "--grace-seconds",
    metavar="SECONDS",
    type=options.Count(0, key_rotation.MAX_GRACE_SECONDS),
    default=DAY_SECONDS,
    show_default=True,
    help=f"How long the old key stays valid, up to {key_rotation.MAX_GRACE_SECONDS}. 0 invalidates it now.",
)
@options.as_json
def rotate(identifier: str, slug: str | None, grace_seconds: int, as_json: bool) -> None:
    """Replace an API key.

    The new key has the same name, scopes, networks, rate limit and expiry. It is printed once. The old key stays valid
    for the grace period.
    """
    with runtime.transaction(write=True) as session:
        ctx, old = _locked(session, identifier, slug)
        new, plaintext = key_rotation.replace(ctx, old.id, ApiKeyRotate(grace_seconds=grace_seconds))
    _show_plaintext(new, plaintext, f"Replaced the API key {old.prefix}….", as_json=as_json)


@key.command()
@identifier
@company
@click.option(
    "--rate-limit",
    type=options.RATE_LIMIT_OR_DEFAULT,
    required=True,
    help=f"New limit, for example 600/minute, or '{options.DEFAULT_RATE_LIMIT}' for DISTRIBU_RATE_LIMIT.",
)
@options.as_json
def update(identifier: str, slug: str | None, rate_limit: str | None, as_json: bool) -> None:
    """Change the rate limit of an API key.

    Every server applies the new limit within 5 seconds.
    """
    with runtime.transaction(write=True) as session:
        ctx, updated = _locked(session, identifier, slug)
        keys.set_rate_limit(ctx, updated, rate_limit)
    row = UPDATED.dump(updated)
    output.record(row if as_json else _shown(row), as_json=as_json)


@key.command()
@identifier
@company
@options.as_json
def revoke(identifier: str, slug: str | None, as_json: bool) -> None:
    """Revoke an API key permanently.

    Every server rejects the key within 5 seconds.
    """
    with runtime.transaction(write=True) as session:
        ctx, revoked = _locked(session, identifier, slug)
        keys.revoke(ctx, revoked)
    output.record(REVOKED.dump(revoked), as_json=as_json)


def _locked(session: Session, identifier: str, slug: str | None) -> tuple[Context, ApiKey]:
    """Return a key, locked until the transaction ends, and the context of a change to it."""
    company_id = None if slug is None else companies.find(session, slug).id
    found = keys.identified(session, identifier, company_id)
    return runtime.context_for(session, found.company_id), found


def _shown(row: Json) -> Json:
    """Return the row for a table, with a word for the default rate limit."""
    return {**row, "rateLimit": row["rateLimit"] or options.DEFAULT_RATE_LIMIT}


def _show_plaintext(created: ApiKey, plaintext: str, message: str, *, as_json: bool) -> None:
    if as_json:
        output.document({**CREATED.dump(created), "key": plaintext})
        return
    output.note(message)
    output.note("This is the only time the key is shown. Store it where no one else can read it:")
    output.text(plaintext)
