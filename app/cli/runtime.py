"""What commands share at run time: the settings, the database, and the user who runs the command."""

import functools
import getpass
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app import clock, config, schema_check
from app.cli import output
from app.config import Settings
from app.context import Actor, ActorType, Context, Transactions
from app.db import Database
from app.services import companies
from models import new_id


@functools.cache
def settings() -> Settings:
    """Return the settings, which are read once. Raises StartError."""
    return Settings.from_environment()


@contextmanager
def any_database(warn: Callable[[str], None] = output.warning) -> Iterator[Database]:
    """Yield the database, regardless of its schema, and close it. Calls `warn` for each unknown setting."""
    for name in config.unknown_variables():
        warn(f"{name} is not a setting of this version and is ignored.")
    database = Database(settings())
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def current_database(warn: Callable[[str], None] = output.warning) -> Iterator[Database]:
    """Yield the database and close it. Raises StartError unless its schema is the one that this code expects."""
    with any_database(warn) as database:
        schema_check.check(database)
        yield database


@contextmanager
def transaction(*, write: bool = False) -> Iterator[Session]:
    """Yield a session. Its changes are committed at the end of the block, unless the block raises."""
    with current_database() as database, database.transaction(write=write) as session:
        yield session


@contextmanager
def company_context(slug: str, *, write: bool = False) -> Iterator[Context]:
    """Yield the context for work on the company with this slug. Raises NotFoundError."""
    with transaction(write=write) as session:
        yield context_for(session, companies.find(session, slug).id)


@contextmanager
def company_transactions(slug: str) -> Iterator[Transactions]:
    """Yield a function that opens transactions, for work that needs several of them. Raises NotFoundError."""
    with current_database() as database:
        with database.transaction() as session:
            company_id = companies.find(session, slug).id

        @contextmanager
        def transaction(*, write: bool = False) -> Iterator[Context]:
            with database.transaction(write=write) as session:
                yield context_for(session, company_id)

        yield transaction


def context_for(session: Session, company_id: str) -> Context:
    """Return the context of a change by the current user, at the time of the transaction."""
    now = clock.time_of(session)
    policy = settings().egress_policy
    return Context(
        session=session,
        actor=actor(),
        company_id=company_id,
        request_id=new_id(now),
        now=now,
        egress_policy=policy,
    )


def actor() -> Actor:
    """Return the current user, as the audit log records it."""
    return Actor(type=ActorType.USER, id=user_name())


def user_name() -> str:
    """Return the name of the user in the operating system, in the normal form NFC, in which it is looked up."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):  # the type depends on the version of Python
        name = "unknown"
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())[:100]
