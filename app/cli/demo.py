"""`distribu demo`: the demo company.

Its API key is the only key whose plaintext is stored, in a file in the directory of the database, so that a later run
can print it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click
from sqlalchemy.orm import Session

from app import clock, config
from app.address import BASE_PATH
from app.cli import options, output, progress, runtime
from app.context import Context
from app.db import Database
from app.demo import company as demos
from app.demo import volume
from app.errors import StartError
from app.schemas.base import Json

KEY_FILE = "demo-key"
MAX_ORDERS = 10_000_000
NEW_KEY = f"distribu key create --company {demos.SLUG} --name NAME --scope all"


@dataclass(frozen=True, kw_only=True)
class DemoCompany:
    """The demo company as the command shows it. Its key is None if the stored key does not work."""

    company_id: str
    name: str
    slug: str
    counts: Mapping[str, int]  # of products, customers and orders
    is_new: bool
    key: str | None

    @property
    def curl(self) -> str | None:
        """Return a curl command that lists products, if there is a key."""
        if self.key is None:
            return None
        return f"curl -H 'Authorization: Bearer {self.key}' '{runtime.settings().site_url}{BASE_PATH}/products?limit=3'"

    def to_json(self) -> Json:
        """Return the JSON that the command prints."""
        return {
            "company": {"id": self.company_id, "name": self.name, "slug": self.slug},
            **self.counts,
            "created": self.is_new,
            "key": self.key,
            "curl": self.curl,
        }


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

    The data is products, customers, price overrides and a year of orders, with shipments, returns and credit notes. If
    the company exists, the command changes nothing and prints the key again.

    With --orders, it adds orders over more than two years, and receives the goods that they need. They are history:
    they are not delivered to webhooks.
    """
    with runtime.current_database() as database:
        file = _key_file(database)
        with database.transaction(write=True) as session:
            result = _create(session, file)
        if wanted is not None:
            _add_orders(database, result.company_id, wanted)
            result = replace(result, counts=_counts(database, result.company_id))
    if as_json:
        output.document(result.to_json())
    else:
        _show(result)
    _explain(result, file)


def _create(session: Session, file: Path) -> DemoCompany:
    """Create the company unless it exists, and return it."""
    existing = demos.find(session)
    company = existing or demos.create_company(session, now=clock.time_of(session), actor=runtime.actor())
    ctx = runtime.context_for(session, company.id)
    if existing is None:
        _store(file, demos.fill(ctx))
    return DemoCompany(
        company_id=company.id,
        name=company.name,
        slug=company.slug,
        counts=demos.counts(ctx),
        is_new=existing is None,
        key=_stored_key(ctx, file),
    )


def _add_orders(database: Database, company_id: str, wanted: int) -> None:
    """Add orders in batches until there are `wanted`. After an interruption, the next run adds the rest."""
    with database.transaction(write=True) as session:
        ctx = runtime.context_for(session, company_id)
        existing = demos.counts(ctx)["orders"]
        missing = wanted - existing
        if missing <= 0:
            return
        data = volume.prepare(ctx, demos.CHARGES)
    with progress.bars() as bars:
        task = bars.add_task("Writing orders", total=missing)
        for batch in volume.batches(data, missing, seed=existing):
            with database.transaction(write=True) as session:
                volume.write(runtime.context_for(session, company_id), batch)
            bars.advance(task, len(batch.orders))
    output.note(f"Added {missing} orders.")


def _counts(database: Database, company_id: str) -> Mapping[str, int]:
    with database.transaction() as session:
        return demos.counts(runtime.context_for(session, company_id))


def _key_file(database: Database) -> Path:
    return (database.file.parent if database.file else config.DATA_DIRECTORY) / KEY_FILE


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


def _show(company: DemoCompany) -> None:
    output.text(f"Company:   {company.name} ({company.slug})")
    for name, count in company.counts.items():
        output.text(f"{name.capitalize() + ':':<10} {count}")
    if company.key:
        output.text(f"Key:       {company.key}")
        output.text(f"Try it:    {company.curl}")


def _explain(company: DemoCompany, file: Path) -> None:
    if not company.is_new:
        output.note("The demo company already exists. Its existing data was not changed.")
    if company.key is None:
        output.note(f"{file} has no working key of this database. Create a key: {NEW_KEY}")
