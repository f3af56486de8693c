"""What Schemathesis cannot know: a cursor is of the same company, February has no thirtieth, time runs on."""

from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode

from app.context import now
from app.schemas.times import parse_time

START, END = "0001-01-01", "9999-12-31"  # one end alone may be beyond the other one of the preset: both go


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Leave out what has the right form and no meaning where a request is meant to succeed; it is tried elsewhere."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    case.query.pop("cursor", None)
    for name in ("since", "until", "updatedSince", "from", "to"):
        if not _is_time(case.query.get(name, "2026-01-01")):
            del case.query[name]
    if not _runs_on(case.query.get("from", END), case.query.get("to", START)):
        case.query.pop("from", None)
        case.query.pop("to", None)
    if case.path.endswith("/recover") and isinstance(case.body, dict) and "since" in case.body:
        case.body.pop("until", None)
        since = str(case.body["since"])
        if not (_is_time(since) and _runs_on(since, now().isoformat())):
            case.body["since"] = "2026-01-01"


def _runs_on(start: str, end: str) -> bool:
    return parse_time(start) <= parse_time(end)


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
