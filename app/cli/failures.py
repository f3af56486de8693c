"""Errors of a command: one line on standard error, and an exit code."""

import click
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cli import UNUSABLE, output
from app.errors import DatabaseUnavailableError, DomainError, StartError
from app.spec import SpecError

FAILED = 1
CONCURRENT_WRITE_CODES = {"23503", "23505"} | {
    f"SQLITE_CONSTRAINT_{name}" for name in ("FOREIGNKEY", "PRIMARYKEY", "UNIQUE")
}


def report(error: Exception, message: str) -> int:
    """Print why a command failed and return its exit code."""
    output.error(message)
    return UNUSABLE if isinstance(error, (click.UsageError, StartError, SpecError)) else FAILED


def explain(error: Exception) -> str | None:
    """Return the message to print, or None if the error is a bug."""
    match error:
        case click.ClickException():
            return error.format_message()
        case StartError() | DomainError() | DatabaseUnavailableError() | SpecError():
            return str(error)
        case IntegrityError() if _is_concurrent_write(error):
            return "Another process changed the same data at the same time. Nothing was changed. Try again."
        case DBAPIError():
            return f"The database reported an error: {str(error.orig).partition(chr(10))[0]}. Nothing was changed."
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}."
    return None


def _is_concurrent_write(error: IntegrityError) -> bool:
    """Return True if a concurrent transaction caused this: the same checks passed before the statement ran."""
    cause = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return cause in CONCURRENT_WRITE_CODES
