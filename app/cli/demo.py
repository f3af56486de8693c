"""`distribu demo`: the demo company.

Its API key is the only key whose plaintext is stored, in a file beside the database, so that a later run can print it.
"""

import os
from pathlib import Path

import click
from rich.progress import Progress
from sqlalchemy.orm import Session

from app import config, context
from app.address import BASE_PATH
from app.cli import options, output, runtime
from app.cli.company import CREATED
from app.config import Settings
from app.context import Context
from app.db import Database
from app.demo import company as demos
from app.demo import volume
from app.errors import StartError
from app.schemas.base import Json

KEY_FILE = "demo-key"
MAX_ORDERS = 10_000_000
NEW_KEY = f"distribu key create --company {demos.SLUG} --name NAME --scope all"


@click.command()
@click.option(
    "--orders",
    "wanted",
    type=options.Count(1, MAX_ORDERS),
    help="Add past orders until the company has this many.",
)
@options.as_json
def demo(wanted: int | None, as_json: bool) -> None:
    """Create a demo company with sample data and an API key.

    The data is products, customers, price overrides and a year of orders. If the company exists, the command changes
    nothing and prints the key again.

    With --orders, it adds orders over more than two years. They are history: they do not change stock and are not
    delivered to webhooks.
    """
    with runtime.current_database() as database:
        file = _key_file(database)
        with database.transaction(write=True) as session:
            result = _demo(session, file)
        if wanted is not None:
            result |= _fill_up(database, result["company"]["id"], wanted)
    if as_json:
        output.document(result)
    else:
        _show(result)
    _explain(result, file)


def _demo(session: Session, file: Path) -> Json:
    existing = demos.find(session)
    company = existing or demos.create_company(session, now=context.now(), actor=runtime.actor())
    ctx = runtime.context_for(session, company.id)
    if existing is None:
        _store(file, demos.fill(ctx))
    key = _stored_key(ctx, file)
    return {
        "company": CREATED.dump(company),
        **demos.counts(ctx),
        "created": existing is None,
        "key": key,
        "curl": key and _curl(runtime.settings(), key),
    }


def _fill_up(database: Database, company_id: str, wanted: int) -> dict[str, int]:
    """Add orders in batches until there are `wanted`. After an interruption, the next run adds the rest."""
    with database.transaction(write=True) as session:
        ctx = runtime.context_for(session, company_id)
        before = demos.counts(ctx)
        missing = max(wanted - before["orders"], 0)
        if not missing:
            return before
        market = volume.open_market(ctx, demos.TERMS)
    console = output.terminal()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("Writing orders", total=missing)
        for batch in volume.batches(market, missing, seed=before["orders"]):
            with database.transaction(write=True) as session:
                volume.write(runtime.context_for(session, company_id), batch)
            progress.advance(task, len(batch[0]))
    output.note(f"Added {missing} orders.")
    with database.transaction() as session:
        return demos.counts(runtime.context_for(session, company_id))


def _key_file(database: Database) -> Path:
    return (database.file.parent if database.file else config.DATA) / KEY_FILE


def _store(file: Path, key: str) -> None:
    """Write the key to a file that only this user can read. Raises StartError, before anything is committed."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # a new file: an old one may have another mode, or be a link
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{key}\n")
    except OSError as error:
        raise StartError(f"The demo key cannot be stored in {file}: {error.strerror}.") from error


def _stored_key(ctx: Context, file: Path) -> str | None:
    """Return the key in the file, or None if it is not a working key of this database."""
    try:
        key = file.read_text("utf-8", "replace").strip()
    except OSError:
        return None
    return key if demos.accepts(ctx, key) else None


def _curl(settings: Settings, key: str) -> str:
    return f"curl -H 'Authorization: Bearer {key}' '{settings.site_url}{BASE_PATH}/products?limit=3'"


def _show(result: Json) -> None:
    output.text(f"Company:   {result['company']['name']} ({result['company']['slug']})")
    output.text(f"Products:  {result['products']}")
    output.text(f"Customers: {result['customers']}")
    output.text(f"Orders:    {result['orders']}")
    if result["key"]:
        output.text(f"Key:       {result['key']}")
        output.text(f"Try it:    {result['curl']}")


def _explain(result: Json, file: Path) -> None:
    if not result["created"]:
        output.note("The demo company already exists. Its data was not changed.")
    if result["key"] is None:
        output.note(f"{file} has no working key of this database. Create a key: {NEW_KEY}")
