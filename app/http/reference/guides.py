"""The guides, as HTML from the Markdown in `docs/`."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = Path(__file__).resolve().parents[3] / "docs"
TITLES = {
    "quickstart": "Quick start",
    "pagination": "Pagination",
    "syncing": "Syncing",
    "idempotency": "Idempotency",
    "errors": "Errors",
    "webhooks": "Webhooks",
}
NO_WORD = re.compile(r"[^\w-]+")


def render(name: str) -> str:
    """Return the content of a guide as HTML. Links to other guides work; links to files that are no guide do not."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only a guide needs it

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse((FOLDER / f"{name}.md").read_text("utf-8"))
    for token, following in itertools.pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _slug(following.content))
        if following.children:
            following.children = list(_with_links(following.children))
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html


def _slug(heading: str) -> str:
    """Return the id of a heading, as repositories show Markdown: "Respond first" is #respond-first."""
    return NO_WORD.sub("", heading.lower().replace(" ", "-"))


def _with_links(tokens: list["Token"]) -> Iterator["Token"]:
    """Yield the tokens of a text, without the links that lead nowhere."""
    kept = []
    for token in tokens:
        if token.type == "link_open":
            target = _target(str(token.attrs["href"]))
            kept.append(target is not None)
            token.attrs["href"] = target or ""
        if not token.type.startswith("link_") or kept[-1]:
            yield token
        if token.type == "link_close":
            kept.pop()


def _target(href: str) -> str | None:
    """Return where a link of a guide leads, relative to the other guides; None if it leads to no page."""
    if href.startswith(("https:", "#")):
        return href
    name, dot_md, fragment = href.partition(".md")
    return name + fragment if dot_md and name in TITLES else None
