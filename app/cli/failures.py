"""Turn what a command raises into one line on stderr and an exit code."""

import click
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.cli import UNUSABLE, output
from app.errors import DatabaseUnavailableError, DomainError, StartError
from app.spec import SpecError

REFUSED = 1
CONCURRENT_WRITE_CODES = {"23503", "23505"} | {
    f"SQLITE_CONSTRAINT_{name}" for name in ("FOREIGNKEY", "PRIMARYKEY", "UNIQUE")
}


def report(error: Exception, message: str) -> int:
    """Print why a command failed; return its exit code."""
    output.error(message)
    return UNUSABLE if isinstance(error, (click.UsageError, StartError, SpecError)) else REFUSED


def explain(error: Exception) -> str | None:
    """Return the message for a person, None for an error that is a bug."""
    match error:
        case click.ClickException():
            return error.format_message()
        case StartError() | DomainError() | DatabaseUnavailableError() | SpecError():
            return str(error)
        case IntegrityError() if _is_concurrent_write(error):
            return "Another process changed the same data at the same moment. Nothing was changed; try again."
        case DBAPIError():
            return f"The database refused: {str(error.orig).partition(chr(10))[0]}. Nothing was changed."
        case OSError():
            return f"{error.filename or 'Input or output'}: {error.strerror or error}."
    return None


def _is_concurrent_write(error: IntegrityError) -> bool:
    """Whether only another transaction can have caused this, because our own checks had passed before."""
    cause = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return cause in CONCURRENT_WRITE_CODES
