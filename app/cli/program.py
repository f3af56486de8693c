"""Put the commands together, and turn every refusal into one line on stderr and an exit code.

Exit codes: 1 when a rule or the database refuses, 2 when the command, a setting or the schema is wrong, 130 for Ctrl-C.
"""

import contextlib
import os
import sys
from collections.abc import Sequence

import click
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cli import (
    INTERRUPTED,
    audit,
    company,
    customer,
    db,
    demo,
    key,
    openapi,
    order,
    output,
    price,
    product,
    report,
    serve,
)
from app.errors import DatabaseUnavailableError, DomainError, StartError
from app.spec import SpecError

REFUSED = 1
UNUSABLE = 2
RIVALRIES = {"23503", "23505"} | {f"SQLITE_CONSTRAINT_{name}" for name in ("FOREIGNKEY", "PRIMARYKEY", "UNIQUE")}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def distribu() -> None:
    """Run a Distribu server: the REST API of a wholesale distributor.

    Settings come from DISTRIBU_ variables of the environment, or of a file .env in the working directory.
    """


COMMANDS = (
    serve.serve,
    db.db,
    company.company,
    key.key,
    product.product,
    customer.customer,
    price.price,
    order.order,
    report.report,
    audit.audit,
    demo.demo,
    openapi.openapi,
)
for each in COMMANDS:
    distribu.add_command(each)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = distribu.main(list(arguments), prog_name="distribu", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_pipe()
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UNUSABLE
    except Exception as error:
        message = explain(error)
        if message is None:
            raise  # a bug: its trace is what a report of it needs
        output.error(message)
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def explain(error: Exception) -> str | None:
    """Return what to tell a person, None for an error that nobody expected."""
    match error:
        case click.ClickException():
            return error.format_message()
        case StartError() | DomainError() | DatabaseUnavailableError() | SpecError():
            return str(error)
        case IntegrityError() if _is_rivalry(error):
            return "Somebody else changed the same data at the same moment. Nothing was changed; try again."
        case DBAPIError():
            return f"The database refused: {str(error.orig).partition(chr(10))[0]}. Nothing was changed."
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}."
    return None


def _is_rivalry(error: IntegrityError) -> bool:
    """Tell what only another change can cause, after our checks, from a rule that a row of ours breaks."""
    cause = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return cause in RIVALRIES


def _exit_code(error: Exception) -> int:
    return UNUSABLE if isinstance(error, (click.UsageError, StartError, SpecError)) else REFUSED


def _leave_pipe() -> int:
    """Nobody reads any more: send what is still buffered nowhere, so that the interpreter can end quietly."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return REFUSED
