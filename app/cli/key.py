"""`distribu key`: who may call the API, for which company, and for what (contract, section 1)."""

from datetime import datetime
from typing import Any

import click
from marshmallow import fields

from app import context
from app.cli import options, output, runtime
from app.schemas.base import Schema, Timestamp
from app.services import companies, keys
from models import ApiKey, Scope

ALL = "all"


class KeySchema(Schema):
    """What is shown of a key; its plaintext is not part of its record."""

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


LISTED = KeySchema()
CREATED = KeySchema(only=("id", "name", "prefix", "scopes", "expires_at"))
REVOKED = KeySchema(only=("id", "name", "prefix", "status"))
UPDATED = KeySchema(only=("id", "name", "prefix", "rate_limit"))
DEFAULT_LIMIT = "default"  # what people write and read for a key without a rate limit of its own


identifier = click.argument("identifier", metavar="PREFIX_OR_ID", type=options.TEXT)
company = click.option(
    "--company", "slug", metavar="SLUG", type=options.TEXT, help="The company, where a prefix is not enough."
)


@click.group()
def key() -> None:
    """Create, list, change and revoke API keys."""


@key.command()
@options.company
@click.option("--name", type=options.TEXT, required=True, help="What the key is for, at most 100 characters.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*(scope.value for scope in Scope), ALL]),
    multiple=True,
    required=True,
    help="What the key may do; repeat it for several.",
)
@click.option("--expires", "expires_at", type=options.MOMENT, help="When it ends: an ISO 8601 time, UTC by default.")
@click.option("--rate-limit", type=options.RATE_LIMIT, help="Its own limit, like 600/minute.")
@options.as_json
def create(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    rate_limit: str | None,
    as_json: bool,
) -> None:
    """Create an API key and print it. It cannot be printed again: only its hash is kept."""
    allowed = list(Scope) if ALL in scopes else [Scope(scope) for scope in scopes]
    with runtime.company_context(slug, write=True) as ctx:
        created, token = keys.create(ctx, name=name, scopes=allowed, expires_at=expires_at, rate_limit=rate_limit)
    _show_created(created, token, as_json=as_json)


@key.command(name="list")
@options.company
@options.as_json
def list_all(slug: str, as_json: bool) -> None:
    """List the keys of a company, newest first; revoked and expired ones stay listed."""
    with runtime.company_context(slug) as ctx:
        rows = [LISTED.dump(each) for each in keys.list_all(ctx)]
    empty = f"There is no key yet. Run: distribu key create --company {slug} --name NAME --scope SCOPE"
    columns = ["id", "name", "prefix", "status", "rateLimit", "scopes", "lastUsedAt", "expiresAt"]
    output.records(
        rows if as_json else [_shown(row) for row in rows],
        as_json=as_json,
        columns=[*columns, "createdAt", "createdBy"],
        empty=empty,
    )


@key.command()
@identifier
@company
@click.option(
    "--rate-limit",
    type=options.RATE_LIMIT_OR_DEFAULT,
    required=True,
    help=f"Its own limit, like 600/minute, or '{DEFAULT_LIMIT}' for that of the server.",
)
@options.as_json
def update(identifier: str, slug: str | None, rate_limit: str | None, as_json: bool) -> None:
    """Change the rate limit of a key; within 5 seconds every server applies it."""
    with runtime.transaction(write=True) as session:
        company_id = None if slug is None else companies.find(session, slug).id
        updated = keys.set_rate_limit(
            session, identifier, rate_limit, company_id=company_id, now=context.now(), actor=runtime.actor()
        )
    row = UPDATED.dump(updated)
    output.record(row if as_json else _shown(row), as_json=as_json)


@key.command()
@identifier
@company
@options.as_json
def revoke(identifier: str, slug: str | None, as_json: bool) -> None:
    """Revoke a key for good; within 5 seconds no server accepts it."""
    with runtime.transaction(write=True) as session:
        company_id = None if slug is None else companies.find(session, slug).id
        revoked = keys.revoke(session, identifier, company_id=company_id, now=context.now(), actor=runtime.actor())
    output.record(REVOKED.dump(revoked), as_json=as_json)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a record for people: a key without a limit of its own has the default."""
    return {**row, "rateLimit": row["rateLimit"] or DEFAULT_LIMIT}


def _show_created(created: ApiKey, token: str, *, as_json: bool) -> None:
    if as_json:
        output.document({**CREATED.dump(created), "key": token})
        return
    output.note(f"Created the key '{created.name}' with the scopes {', '.join(created.scopes)}.")
    output.note("This is the only time the key is shown. Keep it where no one else can read it:")
    output.text(token)
