"""`distribu openapi`: the OpenAPI document."""

import click

from app import spec
from app.cli import output, runtime


@click.command()
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Format of the document.",
)
def openapi(output_format: str) -> None:
    """Print the OpenAPI document.

    It is the document that the server publishes, in one piece. The command needs no database.
    """
    document = spec.served(runtime.settings().site_url)
    output.text(spec.to_yaml(document) if output_format == "yaml" else spec.to_json(document))
