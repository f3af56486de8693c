"""The revisions of the schema, and what they share. `app/schema_version.py` runs them."""
