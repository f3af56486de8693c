"""`distribu company`: the companies on this server."""

from decimal import Decimal

import click
from marshmallow import fields

from app import clock, currencies
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
    currency = fields.String()


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
@click.option(
    "--currency",
    metavar="CODE",
    type=options.TEXT,
    default=currencies.DEFAULT_CODE,
    show_default=True,
    help="Currency of all amounts, as a code of ISO 4217.",
)
@options.as_json
def create(name: str, slug: str | None, currency: str, as_json: bool) -> None:
    """Create a company."""
    with runtime.transaction(write=True) as session:
        now, actor = clock.time_of(session), runtime.actor()
        created = companies.create(session, name, now=now, slug=slug, currency=currency, actor=actor)
    output.record((CREATED if as_json else SCHEMA).dump(created), as_json=as_json)


@company.command(name="list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List all companies."""
    with runtime.transaction() as session:
        rows = [SCHEMA.dump(row) for row in companies.list_all(session)]
    empty = "There are no companies yet. Create one: distribu company create NAME"
    output.records(
        rows, as_json=as_json, columns=["slug", "name", "id", "taxRate", "shipping", "currency"], empty=empty
    )


@company.command()
@click.argument("slug", type=options.TEXT)
@click.option("--name", type=options.TEXT, help="New name. The slug does not change.")
@click.option("--tax-rate", type=options.NUMBER, help="Tax rate of new orders, for example 0.08 for 8%.")
@click.option("--shipping", type=options.NUMBER, help="Shipping fee of new orders, for example 12.50.")
@click.option(
    "--currency",
    metavar="CODE",
    type=options.TEXT,
    help="Currency of all amounts, as a code of ISO 4217. No amount is converted.",
)
@options.as_json
def update(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    name: str | None,
    tax_rate: Decimal | None,
    shipping: Decimal | None,
    currency: str | None,
    as_json: bool,
) -> None:
    """Change a company.

    Existing orders keep their amounts.
    """
    if name is None and tax_rate is None and shipping is None and currency is None:
        raise click.UsageError("Nothing to change: give --name, --tax-rate, --shipping or --currency.")
    with runtime.company_context(slug, write=True) as ctx:
        updated = companies.update(ctx, name=name, tax_rate=tax_rate, shipping=shipping, currency=currency)
    output.record(SCHEMA.dump(updated), as_json=as_json)
