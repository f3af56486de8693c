"""`distribu demo`: the demo company, and the one key whose plaintext is kept, so that a later run can show it."""

import os
from pathlib import Path
from typing import Any

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

FILE = "demo-key"
NEW_KEY = f"distribu key create --company {demos.SLUG} --name NAME --scope all"


@click.command()
@click.option(
    "--orders",
    "wanted",
    type=click.IntRange(1, 10_000_000),
    help="Fill it up to so many orders of more than two years.",
)
@options.as_json
def demo(wanted: int | None, as_json: bool) -> None:
    """Create the demo company with goods, customers, orders and an API key. A second run changes nothing.

    Orders that --orders adds are history: they take no stock and tell no webhook. They are for the demo company alone.
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


def _demo(session: Session, file: Path) -> dict[str, Any]:
    existing = demos.find(session)
    company = existing or demos.create_company(session, now=context.now(), actor=runtime.actor())
    ctx = runtime.context_for(session, company.id)
    if existing is None:
        _keep(file, demos.fill(ctx))
    key = _kept_key(ctx, file)
    return {
        "company": CREATED.dump(company),
        **demos.counts(ctx),
        "created": existing is None,
        "key": key,
        "curl": key and _curl(runtime.settings(), key),
    }


def _fill_up(database: Database, company_id: str, wanted: int) -> dict[str, int]:
    """Add what is missing of the orders wanted, batch by batch; a run that was ended early goes on the next time."""
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
    output.note(f"{missing} orders were added.")
    with database.transaction() as session:
        return demos.counts(runtime.context_for(session, company_id))


def _key_file(database: Database) -> Path:
    return (database.file.parent if database.file else config.DATA) / FILE


def _keep(file: Path, token: str) -> None:
    """Write the key where only this user can read it. Raises StartError, before anything is committed."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # whatever its mode was, and whatever it pointed to
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(f"{token}\n")
    except OSError as error:
        raise StartError(f"The demo key cannot be kept in {file}: {error.strerror}.") from error


def _kept_key(ctx: Context, file: Path) -> str | None:
    """Return the key in the file when it is one of this database and still works."""
    try:
        token = file.read_text("utf-8", "replace").strip()
    except OSError:
        return None
    return token if demos.accepts(ctx, token) else None


def _curl(settings: Settings, key: str) -> str:
    return f"curl -H 'Authorization: Bearer {key}' '{settings.site_url}{BASE_PATH}/products?limit=3'"


def _show(result: dict[str, Any]) -> None:
    output.text(f"Company:   {result['company']['name']} ({result['company']['slug']})")
    output.text(f"Products:  {result['products']}")
    output.text(f"Customers: {result['customers']}")
    output.text(f"Orders:    {result['orders']}")
    if result["key"]:
        output.text(f"Key:       {result['key']}")
        output.text(f"Try it:    {result['curl']}")


def _explain(result: dict[str, Any], file: Path) -> None:
    if not result["created"]:
        output.note("The demo company was there already; what it had was not changed.")
    if result["key"] is None:
        output.note(f"{file} holds no working key of this database. Make a new one: {NEW_KEY}")
