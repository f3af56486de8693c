"""Operations tagged Returns (contract, section 9.7)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.responses import created
from app.schemas.returns import RETURN_CREATE, RETURN_RECEIVE, RETURN_UPDATE, order_return, return_response
from app.schemas.times import load_times
from app.services import receipts, return_creation, return_versions, returns
from app.services.versions import versioned


def list_returns(ctx: Context, **query: Any) -> Json:
    """Return a page of returns with their items."""
    found = returns.page(ctx, **load_times(query))
    return envelope([order_return(one) for one in found.returns], found.page.next_cursor, found.page.synced_until)


@versioned(return_versions.VERSION, id="return_id")
def get_return(ctx: Context, return_id: str) -> StatusResponse:
    """Return one return."""
    return return_response(returns.get(ctx, return_id))


def create_return(ctx: Context, body: Json) -> StatusResponse:
    """Create a return and return it."""
    made = return_creation.create(ctx, RETURN_CREATE.load(body))
    return created(return_response(made), f"/returns/{made.row.id}")


def update_return(ctx: Context, return_id: str, body: Json) -> StatusResponse:
    """Approve or reject a return and return it."""
    return return_response(returns.decide(ctx, return_id, RETURN_UPDATE.load(body)))


def receive_return(ctx: Context, return_id: str, body: Json) -> StatusResponse:
    """Receive a return and return it."""
    return return_response(receipts.receive(ctx, return_id, RETURN_RECEIVE.load(body)))
