"""Log lines: one format, no secrets, and nothing that a caller could forge."""

import json
import logging
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from app.logs import CONTROL, JsonFormatter, TextFormatter
from tests.support.servers import ROOT

FORMATTERS = [JsonFormatter(), TextFormatter()]
FAIL = """
import threading, warnings
from app import logs
logs.configure("INFO")
warnings.warn("odd")
thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()
raise RuntimeError("bug")
"""


def test_no_control_character_is_printable() -> None:
    """So a line that is printable needs no search."""
    assert not [code for code in range(sys.maxunicode + 1) if CONTROL.match(chr(code)) and chr(code).isprintable()]


def record(message: str, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("distribu", logging.INFO, __file__, 1, message, (), None)
    made.fields = fields
    return made


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["json", "text"])
class TestFormatters:
    @pytest.mark.parametrize("control", ["\n", "\r", "\x1b[31m", "\x7f", "\x9b", "\x85", "\u2028", "\u2029", "\x00"])
    def test_no_value_breaks_out_of_its_line(self, formatter: logging.Formatter, control: str) -> None:
        line = formatter.format(record(f"a{control}b", path=f"/x{control}y"))

        assert line.splitlines() == [line]
        assert control[0] not in line

    def test_secrets_are_redacted(self, formatter: logging.Formatter) -> None:
        line = formatter.format(record("dk_abcdefghijkl", secret="whsec_abcdefghijkl"))

        assert "abcdefgh" not in line
        assert "dk_…" in line


def test_json_is_one_object_with_its_fields() -> None:
    line = json.loads(JsonFormatter().format(record("request\n\x9b", status=200)))

    assert (line["message"], line["status"], line["level"]) == ("request\n\x9b", 200, "INFO")


def test_text_has_the_message_and_its_fields() -> None:
    line = TextFormatter().format(record("request", status=200, key=None))

    assert line.endswith("INFO    request status=200")


def run(stderr: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", FAIL], stderr=stderr, env=environment, timeout=120, check=False)


def test_warnings_and_unhandled_exceptions_are_log_lines() -> None:
    reader, writer = os.pipe()
    run(writer)
    os.close(writer)
    with os.fdopen(reader) as log:
        lines = [json.loads(line) for line in log]

    assert [line["level"] for line in lines] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert "ZeroDivisionError" in lines[1]["trace"]
    assert "bug" in lines[2]["trace"]


def test_a_terminal_gets_plain_text() -> None:
    terminal, stderr = pty.openpty()
    run(stderr)
    os.close(stderr)
    text = os.read(terminal, 65_536).decode()
    os.close(terminal)

    assert "WARNING" in text
    assert "{" not in text.split("Traceback")[0]
    assert "RuntimeError: bug" in text
