"""`distribu company`: the companies that this server works for."""

from typing import Any

import click
from marshmallow import fields

from app import context
from app.cli import options, output, runtime
from app.schemas.base import Amount, Schema
from app.services import companies


class CompanySchema(Schema):
    """What the command line shows of a company."""

    id = fields.String()
    name = fields.String()
    slug = fields.String()
    tax_rate = Amount()
    shipping = Amount()


SCHEMA = CompanySchema()
CREATED = CompanySchema(only=("id", "name", "slug"))


@click.group()
def company() -> None:
    """Create, list and change companies. Each has its own products, orders, customers and keys."""


@company.command()
@click.argument("name", type=options.TEXT)
@click.option("--slug", type=options.TEXT, help="Short name for the command line.  [default: made from NAME]")
@options.as_json
def create(name: str, slug: str | None, as_json: bool) -> None:
    """Create the company NAME."""
    with runtime.transaction(write=True) as session:
        created = companies.create(session, name, now=context.now(), slug=slug, actor=runtime.actor())
    output.record((CREATED if as_json else SCHEMA).dump(created), as_json=as_json)


@company.command(name="list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List every company."""
    with runtime.transaction() as session:
        rows = [SCHEMA.dump(each) for each in companies.list_all(session)]
    empty = "There is no company yet. Run: distribu company create NAME"
    output.records(rows, as_json=as_json, columns=["slug", "name", "id", "taxRate", "shipping"], empty=empty)


@company.command()
@click.argument("slug", type=options.TEXT)
@click.option("--name", type=options.TEXT, help="Its new name; the slug stays.")
@click.option("--tax-rate", type=options.NUMBER, help="Tax on its orders: 0.08 for eight per cent.")
@click.option("--shipping", type=options.NUMBER, help="Flat shipping of each order, like 12.50.")
@options.as_json
def update(slug: str, as_json: bool, **values: Any) -> None:
    """Change the company SLUG. Orders that are placed already keep their amounts."""
    if all(value is None for value in values.values()):
        raise click.UsageError("Nothing to change: give --name, --tax-rate or --shipping.")
    with runtime.company_context(slug, write=True) as ctx:
        updated = companies.update(ctx, **values)
    output.record(SCHEMA.dump(updated), as_json=as_json)
