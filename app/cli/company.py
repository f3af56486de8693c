"""`distribu company`: the companies that this server works for."""

import click
from marshmallow import fields

from app import context
from app.cli import options, output, runtime
from app.schemas.base import Schema
from app.services import companies


class CompanySchema(Schema):
    """What the command line shows of a company."""

    id = fields.String()
    name = fields.String()
    slug = fields.String()


SCHEMA = CompanySchema()


@click.group()
def company() -> None:
    """Create and list companies. Each has its own products, orders, customers and keys."""


@company.command()
@click.argument("name", type=options.TEXT)
@click.option("--slug", type=options.TEXT, help="Short name for the command line.  [default: made from NAME]")
@options.as_json
def create(name: str, slug: str | None, as_json: bool) -> None:
    """Create the company NAME."""
    with runtime.transaction(write=True) as session:
        created = companies.create(session, name, now=context.now(), slug=slug)
    output.record(SCHEMA.render(created), as_json=as_json)


@company.command(name="list")
@options.as_json
def list_all(as_json: bool) -> None:
    """List every company."""
    with runtime.transaction() as session:
        rows = [SCHEMA.render(each) for each in companies.list_all(session)]
    if not rows:
        output.note("There is no company yet. Run: distribu company create NAME")
    output.records(rows, as_json=as_json, columns=list(SCHEMA.fields))
