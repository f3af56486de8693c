"""Customers as JSON, in responses and requests (contract, section 6)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from marshmallow import fields

from app.queries.rows import Row
from app.schemas.base import (
    EXTERNAL_ID_LENGTH,
    NOT_GIVEN,
    Amount,
    DraftSchema,
    NormalizedText,
    NotGiven,
    Schema,
    TrimmedText,
    row_schema,
)
from app.schemas.emails import Email


class CustomerRow(Row):
    """A customer."""

    id: str
    email: str
    external_id: str | None
    name: str | None
    status: str
    notes: str | None
    credit_limit: Decimal | None
    tax_rate_override: Decimal | None
    email_verified: bool
    created_at: datetime
    updated_at: datetime


class CustomerKey(NamedTuple):
    """What identifies a customer: one of the columns `id`, `email` and `external_id`, and its value as it is stored."""

    column: str
    value: str

    @property
    def pointer(self) -> str:
        """The pointer to the member that names the customer in an item of a bulk request."""
        return {"id": "/customerId", "email": "/email", "external_id": "/customerExternalId"}[self.column]


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerCreate:
    """A customer to be created."""

    email: str
    external_id: str | None = None
    name: str | None = None
    status: str = "ACTIVE"
    notes: str | None = None
    credit_limit: Decimal | None = None
    tax_rate_override: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerUpdate:
    """Changes to a customer. Fields that are absent do not change."""

    email: str | NotGiven = NOT_GIVEN
    external_id: str | NotGiven | None = NOT_GIVEN
    name: str | NotGiven | None = NOT_GIVEN
    status: str | NotGiven = NOT_GIVEN
    notes: str | NotGiven | None = NOT_GIVEN
    credit_limit: Decimal | NotGiven | None = NOT_GIVEN
    tax_rate_override: Decimal | NotGiven | None = NOT_GIVEN


class CustomerFields(Schema):
    """The fields of a customer that a client may set."""

    email = Email()
    external_id = NormalizedText(EXTERNAL_ID_LENGTH, allow_none=True)
    name = TrimmedText(allow_none=True)
    status = fields.String()
    notes = fields.String(allow_none=True)
    credit_limit = Amount(allow_none=True)
    tax_rate_override = Amount(allow_none=True)


class CustomerCreateSchema(CustomerFields, DraftSchema[CustomerCreate]):
    """The body that creates a customer."""


class CustomerUpdateSchema(CustomerFields, DraftSchema[CustomerUpdate]):
    """The body that updates a customer."""


CUSTOMER = row_schema(CustomerRow)
CUSTOMER_CREATE = CustomerCreateSchema()
CUSTOMER_UPDATE = CustomerUpdateSchema()
