"""A plugin of pytest (`-p tests.support.prism`): Prism between the clients of the tests and the shared server.

Prism validates every response against the document with code that is not ours. Requests are not validated, because
tests send invalid ones on purpose.
"""

import contextlib
import json
import subprocess
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from app import spec
from app.address import BASE_PATH
from tests.support import client, waiting
from tests.support.servers import ROOT, Server, free_port

PROGRAM = ROOT / "openapi/prism/node_modules/.bin/prism"
LOGS = ROOT / "build/prism"
OPTIONS = ("--no-validate-request", "--cors", "false")
VIOLATION = "Violation: response"
# Prism decompresses bodies, writes numbers and JSON again, and fails at HEAD without a body. The pages are not in the
# document.
ALTERED = (
    "test_downloads.py",
    "test_reference",
    "test_system",
    "test_money_is_exact_to_the_cent",
    "malformed_request]",
    "invalid_json]",
)

client.TRANSPORT |= {"keep-alive", "sl-violations"}  # headers of Prism


@contextlib.contextmanager
def proxy(upstream: str) -> Iterator[str]:
    """Run Prism in front of a server; yield its address. Raises AssertionError if a response violated the document."""
    LOGS.mkdir(parents=True, exist_ok=True)
    port = free_port()
    source, log_file = LOGS / f"{port}.json", LOGS / f"{port}.log"
    source.write_text(json.dumps(_document()))
    command = [str(PROGRAM), "proxy", str(source), upstream, "--port", str(port), *OPTIONS]
    with log_file.open("wb") as log, waiting.process(command, stdout=log, stderr=subprocess.STDOUT) as process:
        waiting.until_it_listens(process, port, log_file)
        yield f"http://127.0.0.1:{port}"
        waiting.end(process)
    assert [line for line in log_file.read_text().splitlines() if VIOLATION in line] == []


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Put Prism in front of the shared server."""
    found = yield
    if isinstance(found, Server) and fixturedef.scope == "session":
        stack = contextlib.ExitStack()
        found.url = stack.enter_context(proxy(found.url))
        request.addfinalizer(stack.close)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of what Prism alters."""
    items[:] = [item for item in items if not any(name in item.nodeid for name in ALTERED)]


def _document() -> spec.Document:
    """Return the document with the path of the server in every path, because Prism does not read it."""
    published = spec.published()
    return {**published, "paths": {BASE_PATH + path: item for path, item in published["paths"].items()}}
