"""The reference page in a real browser, used as a reader uses it."""

from typing import NamedTuple

from tests.support.browser import Browser

# Waits for what the renderer shows, in its shadow root.
PRELUDE = """
const page = document.querySelector("rapi-doc");
const seen = async (find) => {
  for (;;) { const found = find(); if (found) return found; await new Promise((after) => setTimeout(after, 20)); }
};
const find = (selector) => page.shadowRoot.querySelector(selector);
await seen(() => page.resolvedSpec?.tags?.length && find(".nav-bar"));
const listed = page.resolvedSpec.tags.flatMap((tag) => tag.paths);
"""
AUTHORIZE = """
page.scrollToPath("auth");
const input = await seen(() => find(".api-key-input"));
input.value = arguments[0];
input.nextElementSibling.click();
await seen(() => page.resolvedSpec.securitySchemes[0].finalKeyValue);
"""
LIST = """
return listed.map(({operationId, method, path, isWebhook, xCodeSamples}) => (
  {id: operationId, method, path, is_webhook: Boolean(isWebhook), samples: xCodeSamples ?? []}));
"""
TRY = """
const {elementId} = listed.find(({operationId}) => operationId === arguments[0]);
page.scrollToPath(elementId);
const request = await seen(() => find(`[id="${elementId}"] api-request`));
const button = await seen(() => request.shadowRoot?.querySelector('[part~="btn-try"]'));
const tried = new Promise((done) => page.addEventListener("after-try", done, {once: true}));
button.click();
const {detail: {request: sent, response, err}} = await tried;
return {url: sent.url, status: response?.status ?? 0, body: err ? String(err) : await response.text()};
"""


class Tried(NamedTuple):
    """A request that the page sent with the values that it had filled in, and the response."""

    url: str
    status: int
    body: str


class Listed(NamedTuple):
    """An operation or a webhook in the list of the page."""

    id: str
    method: str
    path: str
    is_webhook: bool
    samples: list[dict[str, str]]


class ReferencePage:
    """The reference page of a server, with an API key."""

    def __init__(self, browser: Browser, address: str, key: str) -> None:
        """Open the page, and enter the key."""
        self._browser = browser
        browser.open(address + "/docs")
        browser.run(PRELUDE + AUTHORIZE, key)

    def listed(self) -> list[Listed]:
        """Return what the page lists."""
        return [Listed(**entry) for entry in self._browser.run(PRELUDE + LIST)]

    def try_out(self, operation: str) -> Tried:
        """Show an operation, and send its request unchanged."""
        return Tried(**self._browser.run(PRELUDE + TRY, operation))
