"""`distribu company`: the companies on this server."""

from decimal import Decimal

import click
from marshmallow import fields

from app import clock
from app.cli import options, output, runtime
from app.schemas.base import Amount, Schema
from app.services import companies


class CompanySchema(Schema):
    """A company as the command shows it."""

    id = fields.String()
    name = fields.String()
    slug = fields.String()
    tax_rate = Amount()
    shipping = Amount()


SCHEMA = CompanySchema()
CREATED = CompanySchema(only=("id", "name", "slug"))


@click.group()
def company() -> None:
    """Create, list and change companies.

    Each company has its own products, customers, orders and API keys.
    """


@company.command()
@click.argument("name", type=options.TEXT)
@click.option(
    "--slug",
    type=options.TEXT,
    show_default="made from NAME",
    help="Short name for use in commands: a-z, 0-9 and hyphens.",
)
@options.as_json
def create(name: str, slug: str | None, as_json: bool) -> None:
    """Create a company."""
    with runtime.transaction(write=True) as session:
        created = companies.create(session, name, now=clock.time_of(session), slug=slug, actor=runtime.actor())
    output.record((CREATED if as_json else SCHEMA).dump(created), as_json=as_json)


@company.command(name="list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List all companies."""
    with runtime.transaction() as session:
        rows = [SCHEMA.dump(row) for row in companies.list_all(session)]
    empty = "There are no companies yet. Create one: distribu company create NAME"
    output.records(rows, as_json=as_json, columns=["slug", "name", "id", "taxRate", "shipping"], empty=empty)


@company.command()
@click.argument("slug", type=options.TEXT)
@click.option("--name", type=options.TEXT, help="New name. The slug does not change.")
@click.option("--tax-rate", type=options.NUMBER, help="Tax rate of new orders, for example 0.08 for 8%.")
@click.option("--shipping", type=options.NUMBER, help="Shipping fee of new orders, for example 12.50.")
@options.as_json
def update(slug: str, name: str | None, tax_rate: Decimal | None, shipping: Decimal | None, as_json: bool) -> None:
    """Change a company.

    Existing orders keep their amounts.
    """
    if name is None and tax_rate is None and shipping is None:
        raise click.UsageError("Nothing to change: give --name, --tax-rate or --shipping.")
    with runtime.company_context(slug, write=True) as ctx:
        updated = companies.update(ctx, name=name, tax_rate=tax_rate, shipping=shipping)
    output.record(SCHEMA.dump(updated), as_json=as_json)
