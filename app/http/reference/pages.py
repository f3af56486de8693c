"""The pages below `/docs`, and what they load.

The reference page is rendered in the browser, by RapiDoc, from the 3.1 edition of the document. The guides are rendered
here, from Markdown in `docs/`. Nothing is loaded from another host, and no page has an inline script.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import jinja2

from app.http.reference import files, guides
from app.http.system_response import Source

FOLDER = Path(__file__).parent
RENDERER = FOLDER / "renderer" / "rapidoc-9.3.8.js.gz"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HTML = "text/html; charset=utf-8"
NO_SCRIPTS = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The renderer needs inline styles and data: images. Nothing may come from, or be sent to, another host.
REFERENCE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Page(NamedTuple):
    """A page in the navigation, with its path relative to the root of the server."""

    path: str
    title: str


REFERENCE = Page("docs", "API reference")
PAGES = (REFERENCE, *(Page(f"docs/guides/{name}", title) for name, title in guides.TITLES.items()))


def sources() -> dict[str, Source]:
    """Return what responds at each path. Contents are read and rendered when they are requested."""
    assets = {**{file.name: file for file in (FOLDER / "static").iterdir()}, "rapidoc.js": RENDERER}
    digest = files.digest(*(assets[name].read_bytes() for name in sorted(assets)))
    found = {
        f"/docs/assets/{digest}/{name}": files.source(
            files.stored(file), MEDIA_TYPES[Path(name).suffix], lifetime=files.FOREVER, policy=NO_SCRIPTS
        )
        for name, file in assets.items()
    }
    templates = _templates(digest)
    found["/docs"] = _page(functools.partial(_reference, templates), REFERENCE_POLICY)
    for page, name in zip(PAGES[1:], guides.TITLES, strict=True):
        found[f"/{page.path}"] = _page(functools.partial(_guide, templates, page, name), NO_SCRIPTS)
    return found


def _page(render: files.Render, policy: str) -> Source:
    return files.source(files.rendered(render), HTML, lifetime=files.REVALIDATED, policy=policy)


def _templates(digest: str) -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals.update(pages=PAGES, assets=f"docs/assets/{digest}")
    return templates


def _reference(templates: jinja2.Environment) -> str:
    return templates.get_template("reference.html").render(page=REFERENCE, root="")


def _guide(templates: jinja2.Environment, page: Page, name: str) -> str:
    return templates.get_template("guide.html").render(page=page, root="../../", content=guides.render(name))
