"""A real headless browser: Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/)."""

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support import local_http, waiting
from tests.support.debian import program
from tests.support.servers import free_port

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]  # for root in a container
REQUEST_SENT = "Network.requestWillBeSent"  # an event of the DevTools protocol


class Browser:
    """A browser window."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self._http = http
        self._session = session

    def open(self, url: str) -> None:
        """Open a page."""
        self._send("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of an async function in the page, and return its result."""
        body = f"(async function () {{ {script} }}).apply(null, arguments).then(arguments[arguments.length - 1]);"
        return self._send("execute/async", {"script": body, "args": list(arguments)})

    def resize(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Show pages in a window of a size in CSS pixels, light or dark."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._devtools("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", features=[scheme])

    def requested(self) -> list[str]:
        """Return the URL of every request since the last call, except what is inside of the page."""
        events = [json.loads(entry["message"])["message"] for entry in self._send("se/log", {"type": "performance"})]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == REQUEST_SENT]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def errors(self) -> list[str]:
        """Return what the console has reported as an error since the last call."""
        entries = self._send("se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def screenshot(self) -> bytes:
        """Return what the window shows as a PNG."""
        return base64.b64decode(self._http.get(f"/session/{self._session}/screenshot").json()["value"])

    def print(self, width: float, height: float) -> bytes:
        """Return the page as a PDF on paper of a size in centimetres, with the margins of the page."""
        paper = {"page": {"width": width, "height": height}, "background": True}
        return base64.b64decode(self._send("print", paper))

    def _devtools(self, command: str, **parameters: Any) -> None:
        self._send("goog/cdp/execute", {"cmd": command, "params": parameters})

    def _send(self, command: str, content: Any) -> Any:
        response = self._http.post(f"/session/{self._session}/{command}", json=content)
        assert response.status_code == 200, response.text
        return response.json()["value"]


@contextlib.contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """Run Chromium during the block."""
    port = free_port()
    command = [program("chromedriver", "chromium-driver"), f"--port={port}"]
    log_file = directory / "chromedriver.log"
    with (
        log_file.open("wb") as log,
        waiting.process(command, stdout=log, stderr=log) as process,
        local_http.client(base_url=f"http://127.0.0.1:{port}", timeout=waiting.SECONDS) as http,
    ):
        waiting.until_it_listens(process, port, log_file)
        options = {"args": [*ARGUMENTS, f"--user-data-dir={directory / 'profile'}"]}
        timeouts = {"script": int(waiting.SECONDS * 1000)}
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": timeouts,
        }
        response = http.post("/session", json={"capabilities": {"alwaysMatch": capabilities}})
        assert response.status_code == 200, response.text
        session = response.json()["value"]["sessionId"]
        try:
            yield Browser(http, session)
        finally:
            http.delete(f"/session/{session}")
            waiting.end(process)
