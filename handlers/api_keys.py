"""Operations tagged API keys (contract, section 9.6)."""

from typing import Any

from app.context import Context
from app.schemas import callers as schemas
from app.schemas.api_keys import API_KEY_CREATE, API_KEY_ROTATE, api_key, api_key_response, plaintext_response
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.responses import created
from app.services import callers, key_grants, key_rotation, key_versions, keys
from app.services.versions import versioned


def get_me(ctx: Context) -> Json:
    """Return the calling key and its company."""
    return {"data": schemas.caller_identity(callers.identify(ctx))}


def list_api_keys(ctx: Context, **query: Any) -> Json:
    """Return a page of API keys."""
    page = keys.page(ctx, **query)
    return envelope([api_key(row, ctx.now) for row in page.rows], page.next_cursor)


@versioned(key_versions.VERSION, id="key_id")
def get_api_key(ctx: Context, key_id: str) -> StatusResponse:
    """Return one API key."""
    return api_key_response(keys.get(ctx, key_id), ctx.now)


def create_api_key(ctx: Context, body: Json) -> StatusResponse:
    """Create an API key and return it with its plaintext."""
    key, plaintext = key_grants.create(ctx, API_KEY_CREATE.load(body))
    return created(plaintext_response(key, plaintext, ctx.now), f"/api-keys/{key.id}")


def rotate_api_key(ctx: Context, key_id: str, body: Json) -> StatusResponse:
    """Replace an API key and return the new one with its plaintext."""
    key, plaintext = key_rotation.rotate(ctx, key_id, API_KEY_ROTATE.load(body))
    return created(plaintext_response(key, plaintext, ctx.now), f"/api-keys/{key.id}")


def revoke_api_key(ctx: Context, key_id: str) -> StatusResponse:
    """Revoke an API key and return it."""
    ctx, key = key_grants.lock_one(ctx, key_id)
    keys.revoke(ctx, key)
    return api_key_response(keys.get(ctx, key_id), ctx.now)
