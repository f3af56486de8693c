"""API keys as JSON, in responses and requests (contract, section 9.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import limits
from marshmallow import fields

from app import networks
from app.queries.rows import Row
from app.schemas.base import DraftSchema, Json, StatusResponse, TrimmedText, row_schema, tagged
from app.schemas.callers import caller_rate_limit
from app.schemas.webhooks import DAY_SECONDS, StoredTime
from models import ApiKey, KeyStatus, Scope, key_status


class ApiKeyRow(Row):
    """An API key without its digest. Its status depends on the time, and `rate_limit` is a text."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    rate_limit: str | None
    allowed_networks: list[str]
    last_used_at: datetime | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKeyCreate:
    """An API key to be created. Without `allowed_networks`, every address can use it."""

    name: str
    scopes: Sequence[Scope]
    expires_at: datetime | None = None
    allowed_networks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKeyRotate:
    """The options of a rotation. `grace_seconds` is how long the replaced key stays valid."""

    grace_seconds: int = DAY_SECONDS


class Cidr(fields.String):
    """A network in its usual form: `2001:db8::/32` for `2001:0DB8::/32`."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str:
        return str(networks.parse_cidr(value))


class ApiKeyCreateSchema(DraftSchema[ApiKeyCreate]):
    """The body that creates an API key."""

    name = TrimmedText()
    scopes = fields.List(fields.Enum(Scope, by_value=True))
    expires_at = StoredTime(allow_none=True)
    allowed_networks = fields.List(Cidr())


class ApiKeyRotateSchema(DraftSchema[ApiKeyRotate]):
    """The body that rotates an API key."""

    grace_seconds = fields.Integer()


# The name, the scopes and the networks of a key do not change.
VERSION = ("id", "rate_limit", "last_used_at", "expires_at", "revoked_at", "replaced_by")
API_KEY = row_schema(ApiKeyRow, version=VERSION)
API_KEY_CREATE = ApiKeyCreateSchema()
API_KEY_ROTATE = ApiKeyRotateSchema()


def api_key(row: ApiKeyRow, now: datetime) -> Json:
    """Return the JSON object of an API key, with its status at `now`."""
    return {
        **API_KEY.render(row),
        "rateLimit": row.rate_limit and caller_rate_limit(limits.parse(row.rate_limit)),
        "status": key_status(row.revoked_at, row.expires_at, now),
    }


def api_key_tag(key: ApiKeyRow | ApiKey, now: datetime) -> str:
    """Return the entity tag of an API key. Its status changes with the time, without its row."""
    has_expired = key_status(key.revoked_at, key.expires_at, now) is KeyStatus.EXPIRED
    return API_KEY.tag_of([*(getattr(key, name) for name in VERSION), has_expired])


def api_key_response(row: ApiKeyRow, now: datetime) -> StatusResponse:
    """Return the response 200 with an API key and its entity tag."""
    return tagged(api_key(row, now), api_key_tag(row, now))


def plaintext_response(row: ApiKeyRow, plaintext: str, now: datetime) -> StatusResponse:
    """Return the response 200 with an API key and its plaintext. The entity tag is that of the key without it."""
    return tagged(api_key_with_plaintext(row, plaintext, now), api_key_tag(row, now))


def api_key_with_plaintext(row: ApiKeyRow, plaintext: str, now: datetime) -> Json:
    """Return the JSON object of an API key and its plaintext, which is returned only when it is generated."""
    return {**api_key(row, now), "key": plaintext}
