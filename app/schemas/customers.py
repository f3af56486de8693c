"""Customers as JSON, in and out (contract, section 6)."""

from marshmallow import fields

from app.schemas.base import Amount, Email, Schema, Timestamp, TrimmedText


class CustomerSchema(Schema):
    """What a client sees of a customer, and may set of one."""

    id = fields.String(dump_only=True)
    email = Email()
    name = TrimmedText(allow_none=True)
    status = fields.String()
    notes = fields.String(allow_none=True)
    credit_limit = Amount(allow_none=True)
    tax_rate_override = Amount(allow_none=True)
    email_verified = fields.Boolean(dump_only=True)
    created_at = Timestamp(dump_only=True)
    updated_at = Timestamp(dump_only=True)
