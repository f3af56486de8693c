"""The reference page and the guides: what they load, and how browsers keep it."""

import gzip
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from app.http.reference import guides, pages
from tests.support import local_http
from tests.support.servers import ROOT, Server

PATHS = [f"/{page.path}" for page in pages.PAGES]
MAX_BYTES = 400_000
RENDERER = ROOT / "app/http/reference/renderer"


def loaded(server: Server, path: str) -> Iterator[httpx.Response]:
    """Yield a page and everything that it names in an attribute, as a browser requests it."""
    page = local_http.get(server.url + path, headers={"Accept-Encoding": "gzip"})
    yield page
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not link.startswith("//")
        if not link.startswith(("https:", "#")):
            yield local_http.get(str(page.url.join(link)), headers={"Accept-Encoding": "gzip"})


def received(response: httpx.Response) -> int:
    return int(response.headers["content-length"])


@pytest.mark.parametrize("path", PATHS)
def test_everything_that_a_page_names_exists(server: Server, path: str) -> None:
    responses = list(loaded(server, path))

    assert {response.status_code for response in responses} == {200}
    assert len({response.url for response in responses}) > len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_an_inline_script_or_allows_one(server: Server, path: str) -> None:
    page = local_http.get(server.url + path)
    policy = page.headers["content-security-policy"]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in re.sub("style-src [^;]*", "", policy)
    assert all(script.strip() == "" for script in re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.DOTALL))
    assert not re.search(r'\son\w+="', page.text)


def test_the_reference_page_and_its_document_load_in_400_kb(server: Server) -> None:
    scripts = [response for response in loaded(server, "/docs") if "html" not in response.headers["content-type"]]
    address = f"{server.url}/api/v1/openapi-3.1.json"
    document = local_http.get(address, headers={"Accept-Encoding": "gzip"})

    assert sum(map(received, [*scripts, document])) < MAX_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_assets_are_kept_forever_and_named_after_their_content(server: Server, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    page = local_http.get(server.url + "/docs")
    names = re.findall(r'"(docs/assets/[^"]+)"', page.text)

    assert len(names) == 4
    for name in names:
        response = local_http.get(f"{server.url}/{name}", headers=headers)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers.get("content-encoding", "identity") == encoding
        assert response.headers["vary"] == "Accept-Encoding"
        file = pages.RENDERER if name.endswith("rapidoc.js") else pages.FOLDER / "static" / name.rsplit("/", 1)[1]
        content = file.read_bytes()
        assert response.content == (gzip.decompress(content) if file == pages.RENDERER else content)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_page_that_a_browser_has_is_not_sent_again(server: Server, path: str, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    first = local_http.get(server.url + path, headers=headers)
    tag = first.headers["etag"]
    second = local_http.get(server.url + path, headers={**headers, "If-None-Match": f'"other", W/{tag}'})

    assert first.headers["cache-control"] == "no-cache"
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["etag"] == tag
    assert "content-type" not in second.headers
    assert local_http.get(server.url + path, headers={**headers, "If-None-Match": '"other"'}).status_code == 200


def test_each_encoding_has_its_own_tag(server: Server) -> None:
    tags = {local_http.get(server.url + "/docs", headers={"Accept-Encoding": e}).headers["etag"] for e in ("gzip", "")}

    assert len(tags) == 2


@pytest.mark.parametrize("path", ["/docs/", "/docs/guides", "/docs/guides/architecture", "/docs/assets/0/pages.css"])
def test_other_paths_are_404(server: Server, path: str) -> None:
    response = local_http.get(server.url + path)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_405(server: Server, path: str) -> None:
    assert local_http.post(server.url + path).status_code == 405
    head = local_http.head(server.url + path, headers={"Accept-Encoding": "identity"})
    assert received(head) == len(local_http.get(server.url + path).content)


def test_the_renderer_is_the_pinned_one_with_its_license() -> None:
    script = (RENDERER / "update.sh").read_text()
    (pinned,) = re.findall(r"^script_sha256=(\w+)$", script, re.MULTILINE)
    (version,) = re.findall(r"^version=([\d.]+)$", script, re.MULTILINE)

    assert pages.RENDERER.name == f"rapidoc-{version}.js.gz"
    assert hashlib.sha256(gzip.decompress(pages.RENDERER.read_bytes())).hexdigest() == pinned
    assert (RENDERER / "LICENSE.txt").read_text().startswith("MIT License")


class TestGuides:
    def test_links_lead_to_guides_or_other_sites(self) -> None:
        for name in guides.TITLES:
            for href in re.findall(r'href="([^"]*)"', guides.render(name)):
                page = href.partition("#")[0]
                assert href.startswith("https://") or page in {"", *guides.TITLES}, href

    def test_the_fragment_of_a_link_is_the_id_of_a_heading(self) -> None:
        contents = {name: guides.render(name) for name in guides.TITLES}

        for name, content in contents.items():
            for page, fragment in re.findall(r'href="([\w-]*)#([^"]+)"', content):
                assert f'id="{fragment}"' in contents[page or name], fragment

    def test_tables_and_code_are_rendered(self) -> None:
        assert "<td><code>validation_failed</code></td>" in guides.render("errors")
        assert '<pre><code class="language-python">' in guides.render("webhooks")
