"""The root command: the list of commands, and the exit code of each run.

The module of a command is imported when the command runs. Help and completion need only its name and its summary.

Exit codes:
0    success
1    a business rule does not allow the request, or the database is unavailable or reports an error
2    the command line, a setting or the database schema is wrong
130  interrupted by Ctrl-C
"""

import contextlib
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from app import __version__
from app.cli import INTERRUPTED, UNUSABLE

COMMANDS = {  # name: (module of this package, summary); a test compares the summaries with those of the commands
    "serve": ("serve", "Start the API server and a worker."),
    "worker": ("serve", "Start a worker."),
    "db": ("db", "Create and upgrade the database."),
    "company": ("company", "Create, list and change companies."),
    "key": ("key", "Create, list, show, change, rotate and revoke API keys."),
    "product": ("product", "Import, export, list, set and delete products."),
    "inventory": ("inventory", "Adjust and count stock, and list its movements."),
    "customer": ("customer", "List customers."),
    "price": ("price", "Set, list, remove, import and export price overrides."),
    "order": ("order", "List, show and ship orders, and preview new ones."),
    "shipment": ("shipment", "List shipments, and change their tracking."),
    "return": ("order_return", "List, show, approve, reject, receive and refund returns."),
    "credit-note": ("credit_note", "List, show, print and void credit notes."),
    "webhook": ("webhook", "Create, list, change, test and delete webhooks, and develop receivers."),
    "report": ("report", "Report on sales, customers and inventory."),
    "audit": ("audit", "Read the audit log."),
    "verify": ("verify", "Check that stock, orders, returns, events and the audit log are consistent."),
    "demo": ("demo", "Create a demo company with sample data and an API key."),
    "openapi": ("openapi", "Print the OpenAPI document, or compare two."),
}


class DeferredCommand(click.Command):
    """A command that is imported when its arguments are parsed. Until then, only its name and summary are known."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        """Initialize with the module of this package that defines a function with the name of the command.

        In the name of the function, an underscore replaces a hyphen, and one follows a keyword of Python: `return_`.
        """
        super().__init__(name, help=summary, short_help=summary)
        self._module = module

    def load(self) -> click.Command:
        """Import the command and return it."""
        function = str(self.name).replace("-", "_") + ("_" if keyword.iskeyword(str(self.name)) else "")
        command: click.Command = getattr(importlib.import_module(f"app.cli.{self._module}"), function)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the imported command: click uses that command from here on."""
        return self.load().make_context(info_name, args, parent, **extra)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def distribu() -> None:
    """Run and manage a Distribu server.

    Settings are environment variables that begin with DISTRIBU_. They can also be set in a file named .env in the
    working directory.
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
        from app.cli import failures  # noqa: PLC0415 - it imports SQLAlchemy, which takes time

        message = failures.explain(error)
        if message is None:
            raise  # a bug: the traceback goes into the bug report
        return failures.report(error, message)
    return code if isinstance(code, int) else 0


def _close_pipe() -> int:
    """Discard what is still buffered: no one reads the pipe, so flushing it at exit would fail."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
