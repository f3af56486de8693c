"""Recorder of the v1 API: sends the requests in requests.txt to a real server and records each exchange.

It uses the `distribu` command and raw HTTP only, so the same recorder runs on any version of the server. Values that
differ from run to run become placeholders, numbered in order of first appearance; all other bytes are exact.
"""

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from threading import Thread
from typing import Any

CATALOGUE = Path(__file__).with_name("catalogue.csv")
REQUESTS = Path(__file__).with_name("requests.txt")
EXCHANGES = Path(__file__).with_name("exchanges.txt")
DISTRIBU = str(Path(sys.executable).with_name("distribu"))
SECONDS = 120.0
RULE = "-" * 100
LINE = re.compile(r"(?:(\w+) = )?(?:@(\S+) )?(\S+) (.*)")  # name, key, verb, the rest
RECENT = r"20(?:2[5-9]|[3-9]\d)"  # the fixed dates in requests are earlier
PLACEHOLDERS = {
    "start": rf'(?<="from":"){RECENT}[^"]+',  # one day may begin a week, a month and a year, and another day only one
    "label": rf'(?<="label":")[^"]*{RECENT}[^"]*',
    "used": r'(?<="lastUsedAt":)(?:null|"[^"]+")',  # it is written in the background
    "user": r'(?<="createdBy":")(?!c[0-9a-z]{24}")[^"]+',
    "synced": r'(?<="syncedUntil":")[^"]+',
    "seal": r'(?<="data":)\{"seal":[^}]+\}',  # the worker seals in the background
    "time": rf"\b{RECENT}-\d\d-\d\dT\d\d(?::|%3A)\d\d(?::|%3A)\d\d\.\d{{3}}Z",
    "day": rf"\b{RECENT}-\d\d-\d\d\b",
    "date": r"(?<=date: )\w+, .+ GMT",
    "etag": r'(?<=etag: )"[0-9a-f]{24}"',
    "key": r"\bdk_[\w-]{43}",
    "prefix": r'(?<="prefix":")dk_[\w-]{9}',
    "secret": r"\bwhsec_[\w+/=]+",
    "id": r"\bc[0-9a-z]{24}\b",
    "request": r"\b[0-9a-f]{32}\b",
    "port": r"(?<=127\.0\.0\.1:)\d+",
    "milliseconds": r'(?<="durationMs":)\d+',
    "seconds": r'(?<="retryAfter":)\d+|(?<=retry-after: )\d+|(?<=;t=)\d+(?=\n)',
    "remaining": r"(?<=;r=)\d+",
    "signature": r"\b[0-9a-f]{64}\b|\bv1,[\w+/=]+",
    "timestamp": r"(?<=webhook-timestamp: )\d+",
    "version": r'(?<="version":")[^"]+|(?<=Distribu/)[\d.]+',
}
NUMBERED = {"time", "day", "etag", "key", "secret", "id", "request", "port"}
ANY_PLACEHOLDER = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in PLACEHOLDERS.items()))
VARIABLE_LENGTH = re.compile(
    "|".join(PLACEHOLDERS[kind] for kind in ("label", "used", "user", "seal", "milliseconds", "seconds", "version"))
)


class Recorder:
    """A client that records what it sends and what it receives."""

    def __init__(self, environment: dict[str, str], directory: Path, receiver: "RecordingReceiver") -> None:
        self._environment, self._directory, self._receiver = environment, directory, receiver
        self._values = {"catalogue": str(CATALOGUE), "receiver": f"http://127.0.0.1:{receiver.server_port}"}
        self._long = {"long": "x" * 2001, "items": ", ".join(['{"productId": "x", "quantity": 1}'] * 201)}
        self._parts: list[str] = []

    def play(self, script: str) -> str:
        """Run every line of a script; return the exchanges."""
        for line in script.splitlines():
            if line.startswith("##"):
                self._parts.append(line)
            elif line and not line.startswith("#"):
                self._run_line(line)
        return replaced(f"\n{RULE}\n".join(self._parts) + "\n")

    def _run_line(self, line: str) -> None:
        match = LINE.fullmatch(line)
        assert match, line
        name, key, verb, rest = match.groups()
        if verb == "distribu":
            self._parts.append(line)
            printed = run_command(self._environment, self._directory, *shlex.split(self._filled(rest)))
            values = json.loads(printed) if name else {}
            self._bind(name, values.get("key"), {"id": values.get("id", "")})
        elif verb == "deliver":
            self._bind(name, self._delivered(f"/webhooks/{self._filled(rest)}/deliveries"), {})
        elif verb == "raw":
            self._exchange(rest.encode().decode("unicode_escape").encode("latin-1"), rest)
        else:
            found = self._send(verb, rest, key or "all")
            data = found.get("data") or [{}]
            resource = data[0] if isinstance(data, list) else data.get("creditNote") or data
            items = resource.get("items") or [{}]
            self._bind(
                name, resource.get("id"), {"at": resource.get("createdAt", ""), "item": items[0].get("id") or ""}
            )
            self._values["cursor"] = found.get("pagination", {}).get("nextCursor") or ""

    def _bind(self, name: str | None, value: str | None, more: dict[str, str]) -> None:
        if name:
            assert value, f"{name} has no value"
            self._values |= {name: value, **{f"{name}_{suffix}": extra for suffix, extra in more.items()}}

    def _filled(self, text: str) -> str:
        return Template(text).substitute(self._values | self._long)

    def _send(self, method: str, rest: str, key: str) -> dict[str, Any]:
        """Send a request as a line of the script describes it; return the JSON of the response."""
        request, *headers = rest.split(" | ")
        target, _, body = request.partition(" ")
        target = target[1:] if target.startswith("//") else f"/api/v1{target}"
        names = {header.split(":")[0] for header in headers}
        if key != "-" and "Authorization" not in names:
            headers.insert(0, f"Authorization: Bearer ${key}")
        if body and "Content-Type" not in names:
            headers.append("Content-Type: application/json")
        shown = "\n".join([f"{method} {target} HTTP/1.1", *headers])
        content = self._filled(body).encode()
        unsaid = "\nHost: localhost" + (f"\nContent-Length: {len(content)}" if content else "")
        head = (self._filled(shown) + unsaid + "\n\n").replace("\n", "\r\n").encode()
        short = Template(shown + (f"\n\n{body}" if body else "")).safe_substitute(self._values)
        return self._exchange(head + content, short)

    def _exchange(self, request: bytes, shown: str) -> dict[str, Any]:
        """Send bytes, and record the response; return its JSON, if any."""
        head, body = exchange(self._environment, request)
        is_document = "/api/v1/openapi" in shown  # its descriptions may change
        if is_document:
            head = re.sub(r"(?<=etag: ).+", "<tag>", head)
        if is_document or VARIABLE_LENGTH.search(body):
            head = re.sub(r"(?<=content-length: )\d+", "<length>", head)
        self._parts.append(f"{shown}\n\n{head}" + (f"\n{'<document>' if is_document else body}" if body else ""))
        found: dict[str, Any] = json.loads(body) if body and "application/json" in head else {}
        return found

    def _delivered(self, path: str) -> str:
        """Wait for the first attempt of every delivery, record what was received; return the newest id."""
        lines = f"GET /api/v1{path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self._values['all']}", "", ""
        while True:
            found = json.loads(exchange(self._environment, "\r\n".join(lines).encode())[1])["data"]
            if not any(delivery["outcome"] == "PENDING" and delivery["attempt"] == 1 for delivery in found):
                self._parts.append(self._receiver.received.pop(0))
                return str(found[0]["id"])
            time.sleep(0.05)


def exchange(environment: dict[str, str], request: bytes) -> tuple[str, str]:
    """Return the head and the body of the response to a request."""
    address = "127.0.0.1", int(environment["DISTRIBU_PORT"])
    with socket.create_connection(address, timeout=SECONDS) as connection, connection.makefile("rb") as stream:
        connection.sendall(request)
        head = ""
        while (line := stream.readline().decode("latin-1")) not in {"\r\n", ""}:
            head += line.replace("\r\n", "\n")
        length = re.search(r"^content-length: (\d+)$", head, re.MULTILINE)
        return head, stream.read(int(length[1])).decode() if length and not request.startswith(b"HEAD") else ""


def replaced(text: str) -> str:
    """Return the text with placeholders for what differs from run to run."""
    seen: dict[str, dict[str, str]] = {kind: {} for kind in NUMBERED}

    def placeholder(match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if kind not in seen:
            return f"<{kind}>"
        return seen[kind].setdefault(match[0], f"<{kind}-{len(seen[kind]) + 1}>")

    return ANY_PLACEHOLDER.sub(placeholder, text)


class RecordingReceiver(ThreadingHTTPServer):
    """A receiver of webhooks that keeps every request; /broken returns 500."""

    def __init__(self) -> None:
        self.received: list[str] = []
        super().__init__(("127.0.0.1", 0), RecordingHandler)


class RecordingHandler(BaseHTTPRequestHandler):
    """One request to the receiver."""

    server: RecordingReceiver

    def do_POST(self) -> None:
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append(f"(to the receiver) {self.requestline}\n{head}\n{body}")
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(b"received")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def record(database_url: str, port: int) -> str:
    """Return the exchanges with a server on a migrated, empty database.

    Reports of the current day are part of them, so a recording that spans midnight UTC differs.
    """
    with tempfile.TemporaryDirectory() as name, RecordingReceiver() as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        environment = os.environ | {
            "DISTRIBU_DATABASE_URL": database_url,
            "DISTRIBU_PORT": str(port),
            "DISTRIBU_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DISTRIBU_WEBHOOK_ALLOWED_PORTS": f"80,443,{receiver.server_port}",
            "DISTRIBU_WEBHOOK_RETRY_SCHEDULE": "3600",
        }
        with serving(environment, Path(name)):
            exchanges = Recorder(environment, Path(name), receiver).play(REQUESTS.read_text())
        receiver.shutdown()
        return exchanges


@contextlib.contextmanager
def serving(environment: dict[str, str], directory: Path) -> Iterator[None]:
    """Run the server during the block."""
    log = (directory / "log").open("wb")
    with log, subprocess.Popen([DISTRIBU, "serve"], env=environment, cwd=directory, stderr=log) as process:
        try:
            deadline = time.monotonic() + SECONDS
            while not is_ready(environment):
                assert process.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline, "the server is not ready"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def is_ready(environment: dict[str, str]) -> bool:
    """Return True if the server accepts requests."""
    try:
        return " 200 " in exchange(environment, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")[0]
    except ConnectionError:
        return False


def run_command(environment: dict[str, str], directory: Path, *arguments: str) -> str:
    """Run the `distribu` command; return what it prints."""
    return subprocess.check_output([DISTRIBU, *arguments], env=environment, cwd=directory, text=True)


def main() -> None:
    """Record on SQLite."""
    with tempfile.TemporaryDirectory() as name:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"sqlite:///{name}/exchanges.sqlite3"
        run_command(os.environ | {"DISTRIBU_DATABASE_URL": url}, Path(name), "db", "upgrade")
        EXCHANGES.write_text(record(url, port))


if __name__ == "__main__":
    main()
