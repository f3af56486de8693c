"""`distribu openapi`: the OpenAPI document."""

import click

from app import address, editions, spec
from app.cli import openapi_diff, output, runtime


class _SiteUrl(click.ParamType[str]):
    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without a trailing slash."""
        try:
            url = address.parse_public(value)
        except ValueError:
            url = ""
        if not url:
            self.fail(f"'{value}' is not an http or https URL, such as https://shop.example.", param, ctx)
        return url


@click.group(invoke_without_command=True)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Format of the document.",
)
@click.option(
    "--edition",
    type=click.Choice(editions.EDITIONS),
    default="3.0",
    show_default=True,
    help="Version of OpenAPI. 3.1 adds webhooks and the data of each event type.",
)
@click.option("--server", metavar="URL", type=_SiteUrl(), help="Address of the server. Default: DISTRIBU_PUBLIC_URL.")
@click.pass_context
def openapi(ctx: click.Context, output_format: str, edition: str, server: str | None) -> None:
    """Print the OpenAPI document, or compare two.

    Without a command, prints the document that the server publishes, in one piece. No database is needed.
    """
    if ctx.invoked_subcommand is not None:
        return
    document = editions.served(edition, server or runtime.settings().site_url)
    output.text(spec.to_yaml(document) if output_format == "yaml" else spec.to_json(document))


openapi.add_command(openapi_diff.diff)
