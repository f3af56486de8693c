"""Run revisions on the connection of `app/schema_version.py`, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
