"""The root command: which commands there are, and how each of them ends.

A command's module is imported when the command runs; help and completion need its name and summary only.
Exit codes: 1 when a rule or the database refuses, 2 when the command, a setting or the schema is wrong, 130 for Ctrl-C.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from app import __version__
from app.cli import INTERRUPTED, UNUSABLE

COMMANDS = {  # name: (module of this package, summary); a test keeps the summaries equal to those of the commands
    "serve": ("serve", "Serve the API and deliver webhooks until a signal ends it."),
    "worker": ("serve", "Deliver webhooks until a signal ends it."),
    "db": ("db", "Bring the database up to this version of Distribu."),
    "company": ("company", "Create, list and change companies."),
    "key": ("key", "Create, list, change and revoke API keys."),
    "product": ("product", "Import and list products."),
    "customer": ("customer", "List customers."),
    "price": ("price", "Agree prices with single customers, list and remove them."),
    "order": ("order", "List and show orders."),
    "webhook": ("webhook", "Look after webhooks and what was sent to them."),
    "report": ("report", "Add up orders and stock, to the cent."),
    "audit": ("audit", "Read the audit log."),
    "demo": ("demo", "Create the demo company with goods, customers, orders and an API key."),
    "openapi": ("openapi", "Print the OpenAPI document in one piece, as the server answers it."),
}


class DeferredCommand(click.Command):
    """A command known by its name and summary, which is imported when it is parsed."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        """Take the module of this package that defines the command under its own name."""
        super().__init__(name, help=summary, short_help=summary)
        self._module = module

    def load(self) -> click.Command:
        """Return the command itself."""
        command: click.Command = getattr(importlib.import_module(f"app.cli.{self._module}"), str(self.name))
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command itself: from here on, click works with that one."""
        return self.load().make_context(info_name, args, parent, **extra)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def distribu() -> None:
    """Run a Distribu server: the REST API of a wholesale distributor.

    Settings come from DISTRIBU_ variables of the environment, or of a file .env in the working directory.
    """


for name, (module, summary) in COMMANDS.items():
    distribu.add_command(DeferredCommand(name, module, summary))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = distribu.main(list(arguments), prog_name="distribu", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _close_pipe()
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UNUSABLE
    except Exception as error:
        from app.cli import failures  # noqa: PLC0415 - it knows the database's errors, whose import takes time

        message = failures.explain(error)
        if message is None:
            raise  # a bug: its trace is what a report of it needs
        return failures.report(error, message)
    return code if isinstance(code, int) else 0


def _close_pipe() -> int:
    """Send what is still buffered nowhere: the reader has gone, and the interpreter would fail to flush at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
