"""What drivers raise, translated into our own exceptions in this one place.

Not in this module: the transactions whose exceptions are translated (`app/db.py`).
"""

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import DatabaseBusyError, DatabaseUnavailableError, TooLargeError

BUSY_SECONDS = 5  # to wait for a lock or a connection before the response is 503
CONCURRENT_WRITE_CODES = ("40001", "40P01")  # serialization failure, deadlock: a retry may succeed immediately
DUPLICATE_CODES = ("23505", "SQLITE_CONSTRAINT_UNIQUE")
LOCKED_CODES = ("55P03", "SQLITE_BUSY")  # another transaction holds the lock
BUSY_MESSAGE = (
    f"The database is busy: other processes have been writing to it for {BUSY_SECONDS} s. Try again in a moment."
)
# Connection, resources, operator intervention, input and output, read-only server, lock not available
TEMPORARY_POSTGRESQL_CODES = ("08", "53", "57", "58", "25006", "55P03")
TEMPORARY_SQLITE_CODES = tuple(  # PROTOCOL: another process has held the locks of readers for ten seconds
    f"SQLITE_{name}" for name in ("BUSY", "LOCKED", "PROTOCOL", "FULL", "IOERR", "CANTOPEN", "READONLY")
)


class ConflictError(DatabaseUnavailableError):
    """The transaction conflicts with a concurrent one. It can succeed when it runs again."""


class TranslatedErrors:
    """Translates what drivers raise for an unavailable or busy database, or for an overflow, into our exceptions."""

    def __enter__(self) -> None:
        """Begin a block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise the translation of an exception of the block."""
        if isinstance(error, PoolTimeoutError):
            raise DatabaseUnavailableError(f"No database connection became free in {BUSY_SECONDS} s.") from error
        if isinstance(error, DBAPIError):
            translated = _translated(error)
            if translated is not None:
                raise translated from error


def _translated(error: DBAPIError) -> Exception | None:
    reason = str(error.orig).partition("\n")[0]
    if str(getattr(error.orig, "sqlstate", "")).startswith(CONCURRENT_WRITE_CODES):
        return ConflictError(reason)
    if _is_overflow(error):
        return TooLargeError()
    if _is_busy(error):
        return DatabaseBusyError(BUSY_MESSAGE)
    return DatabaseUnavailableError(reason) if _is_unavailability(error) else None


def _is_busy(error: DBAPIError) -> bool:
    """Return whether another transaction held a lock for too long."""
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorname", None))
    return any(str(code).startswith(LOCKED_CODES) for code in codes)


def _is_overflow(error: DBAPIError) -> bool:
    """Return whether a sum has more than 64 bits."""
    return getattr(error.orig, "sqlstate", None) == "22003" or str(error.orig) == "integer overflow"


def _is_unavailability(error: DBAPIError) -> bool:
    """Return whether the failure is temporary (locked, full, unavailable, timed out) rather than a bug."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(TEMPORARY_POSTGRESQL_CODES)
    name: str | None = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return name.startswith(TEMPORARY_SQLITE_CODES)
    return isinstance(error, OperationalError)  # psycopg did not connect, or not in time


def is_duplicate(error: IntegrityError) -> bool:
    """Return whether a statement inserted a value that is unique and that another row has."""
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code in DUPLICATE_CODES
