"""Operations tagged Events (contract, section 9.5)."""

from typing import Any

from app.context import Context
from app.schemas import events as payloads
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.times import load_times
from app.services import events
from app.services.versions import Version, versioned


def list_events(ctx: Context, **query: Any) -> Json:
    """Return a page of events."""
    found = events.page(ctx, **load_times(query))
    return envelope([payloads.render(event) for event in found.rows], found.next_cursor)


@versioned(Version.of(payloads.EVENT, events.SELECT_ONE), id="event_id")
def get_event(ctx: Context, event_id: str) -> StatusResponse:
    """Return one event."""
    return payloads.event_response(events.get(ctx, event_id))
