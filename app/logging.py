"""Logs: one JSON object a line on stderr, never a secret in one, never a line a caller could forge."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

SECRET = re.compile(r"(dk_|whsec_)[A-Za-z0-9_-]{8,}")
LONGEST = 8_000


class JsonFormatter(logging.Formatter):
    """Write a record as JSON, in which no value can break out of its line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            content["trace"] = self.formatException(record.exc_info)[-LONGEST:]
        return SECRET.sub(r"\1…", orjson.dumps(content, default=str).decode())


def configure(level: str) -> None:
    """Send everything from `level` upwards to stderr; uvicorn's own access log is off, ours says more."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("connexion", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
