"""Operations tagged API keys (contract, section 9.6)."""

from app.context import Context
from app.schemas import callers as schemas
from app.schemas.base import Json
from app.services import callers


def get_me(ctx: Context) -> Json:
    """Return the calling key and its company."""
    return {"data": schemas.caller_identity(callers.identify(ctx))}
