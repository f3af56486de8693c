"""`distribu openapi`: the document that describes the API."""

import click

from app import spec
from app.cli import output, runtime


@click.command()
@click.option("--format", "notation", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def openapi(notation: str) -> None:
    """Print the OpenAPI document in one piece, as the server answers it. Needs no database."""
    document = spec.served(runtime.settings().site_url)
    output.text(spec.to_yaml(document) if notation == "yaml" else spec.to_json(document))
