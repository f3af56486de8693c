"""`/llms.txt`, and what it links to."""

import re

from tests.support import local_http
from tests.support.servers import ROOT, Server


def test_llms_txt_and_every_file_that_it_links_to_are_served(server: Server) -> None:
    index = local_http.get(server.url + "/llms.txt")
    links = re.findall(r"\]\((\S+?)\)", index.text)

    assert index.headers["content-type"] == "text/plain; charset=utf-8"
    assert "docs/api/createOrder.md" in links
    for path in ["llms.txt", *links]:
        response = local_http.get(f"{server.url}/{path}", headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200, path
        assert response.content == (ROOT / path).read_bytes(), path
        assert response.headers["cache-control"] == "no-cache"


def test_the_links_of_the_pages_of_operations_work(server: Server) -> None:
    page = local_http.get(server.url + "/docs/api/createOrder.md")
    links = re.findall(r"\]\((\S+?)\)", page.text)

    assert page.headers["content-type"] == "text/markdown; charset=utf-8"
    assert links == ["README.md", "../errors.md"]
    assert {local_http.get(str(page.url.join(link))).status_code for link in links} == {200}


def test_other_files_are_not_served(server: Server) -> None:
    for path in ("/README.md", "/docs/architecture.md", "/docs/api/", "/docs/api/../architecture.md", "/docs/api/x.md"):
        assert local_http.get(server.url + path).status_code == 404
