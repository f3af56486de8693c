"""Logs on stderr: one JSON object per line, or plain text where stderr is a terminal.

A line never contains a secret, and clients cannot forge lines.
"""

import functools
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

SECRET_PREFIXES = ("dk_", "whsec_")
SECRET = re.compile(rf"({'|'.join(SECRET_PREFIXES)})[A-Za-z0-9_-]{{8,}}")
SENT_SECRET = re.compile(rf"(?<![A-Za-z0-9]){SECRET.pattern}")  # not a part of a word, as in `sdk_`
MAX_CHARACTERS = 8_000  # of a message or a traceback
# Control characters that JSON does not escape, and Unicode line separators: a terminal or a log viewer may interpret
# them.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
LOG = logging.getLogger("distribu")


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; a value cannot start a new line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03}+00:00",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:MAX_CHARACTERS],
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            content["trace"] = self.formatException(record.exc_info)[-MAX_CHARACTERS:]
        line = orjson.dumps(content, default=str).decode()
        return _redacted(line if line.isprintable() else CONTROL.sub(_escaped, line))  # a search takes longer


class TextFormatter(logging.Formatter):
    """Formats a record for a person: local time, level, message and fields on one line, then the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and those of the traceback."""
        time = datetime.fromtimestamp(record.created).astimezone()
        fields: dict[str, Any] = getattr(record, "fields", {})
        values = [f"{name}={value}" for name, value in fields.items() if value is not None]
        message = CONTROL.sub(_escaped, " ".join([record.getMessage()[:MAX_CHARACTERS], *values]))
        trace = f"\n{self.formatException(record.exc_info)[-MAX_CHARACTERS:]}" if record.exc_info else ""
        return _redacted(f"{time:%H:%M:%S} {record.levelname:7} {message}{trace}")


def configure(level: str) -> None:
    """Write records of `level` and above to stderr. `app/http/access.py` replaces uvicorn's access log.

    Warnings and unhandled exceptions are logged too, so that every line has the same format.
    """
    # What no formatter shows is not found out for each record (Python's "Logging HOWTO", Optimization).
    logging._srcfile = None  # noqa: SLF001 - documented there
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if sys.stderr.isatty() else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_unhandled
    threading.excepthook = lambda args: _log_unhandled(args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("connexion", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings repeat errors that it raises


def _log_unhandled(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        LOG.critical("unhandled %s", kind.__name__, exc_info=(kind, error, trace))


def holds_secret(text: str) -> bool:
    """Return True if a text that would be stored contains an API key or a signing secret."""
    return SENT_SECRET.search(text) is not None


@functools.lru_cache(1)
def _second(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _redacted(line: str) -> str:
    return SECRET.sub(r"\1…", line) if any(prefix in line for prefix in SECRET_PREFIXES) else line


def _escaped(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"
