"""What Schemathesis cannot know: a cursor is valid only when it came from a page of the same company."""

from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Leave out invented cursors where a request is meant to succeed; wrong ones are still tried elsewhere."""
    is_valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_valid and case.query and "cursor" in case.query:
        del case.query["cursor"]
