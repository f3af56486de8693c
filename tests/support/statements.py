"""The statements that a session sends."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event as listener
from sqlalchemy.orm import Session


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """Yield the statements that a session sends, one for each call of the driver."""
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    connection = session.connection()
    listener.listen(connection, "before_cursor_execute", count)
    yield statements
    listener.remove(connection, "before_cursor_execute", count)
