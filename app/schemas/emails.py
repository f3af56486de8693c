"""Email addresses in requests."""

from marshmallow import fields


class Email(fields.String):
    """An email address, trimmed and in lower case."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str:
        return stored_email(value)


def stored_email(text: str) -> str:
    """Return an email address as it is stored and looked up."""
    return text.strip().lower()
