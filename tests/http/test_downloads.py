"""The document in every edition and format: compressed, with an entity tag, and for pages of every origin."""

import gzip
import json

import pytest
import yaml

from app import editions, spec
from tests.support import local_http
from tests.support.client import Client
from tests.support.servers import Server

OPERATIONS = {operation.id: operation.path for operation in spec.operations(spec.document()) if operation.is_public}
PATHS = {name: path for name, path in OPERATIONS.items() if name != "getIndex"}
every_form = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def raw(server: Server, path: str, accept_encoding: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body as they were sent."""
    with (
        local_http.client() as http,
        http.stream("GET", f"{server.url}/api/v1{path}", headers={"Accept-Encoding": accept_encoding}) as response,
    ):
        return dict(response.headers), b"".join(response.iter_raw())


class TestEditions:
    def test_the_3_1_edition_is_served_with_the_address_of_the_server(self, anonymous: Client) -> None:
        address = str(anonymous.base_url).removesuffix("/api/v1/")

        assert anonymous.get("/openapi-3.1.json").json() == editions.served("3.1", address)


@every_form
class TestCompression:
    def test_the_body_is_compressed_for_clients_that_accept_it(self, server: Server, path: str) -> None:
        headers, body = raw(server, path, "gzip, deflate")
        plain_headers, plain = raw(server, path, "identity")

        assert (headers["content-encoding"], headers["content-length"]) == ("gzip", str(len(body)))
        assert gzip.decompress(body) == plain
        assert len(body) < len(plain) / 5
        assert "content-encoding" not in plain_headers
        assert headers["vary"] == plain_headers["vary"] == "Accept-Encoding"

    @pytest.mark.parametrize(
        ("accept_encoding", "is_gzip"),
        [
            ("gzip;q=0", False),
            ("br", False),
            ("*", True),
            ("*;q=0", False),
            ("*;q=0, gzip", True),
            ("GZIP;q=0.1", True),
            ("", False),
            ("gzip;q=x", False),
        ],
    )
    def test_accept_encoding_decides(self, server: Server, path: str, accept_encoding: str, *, is_gzip: bool) -> None:
        assert ("content-encoding" in raw(server, path, accept_encoding)[0]) is is_gzip


@every_form
class TestTags:
    def test_a_client_that_has_the_document_gets_a_304(self, anonymous: Client, path: str) -> None:
        tag = anonymous.get(path).headers["etag"]
        response = anonymous.get(path, headers={"If-None-Match": f'"other", W/{tag}'})

        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["vary"] == "Accept-Encoding"
        assert anonymous.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    def test_each_encoding_has_a_tag_that_stays_the_same(self, server: Server, path: str) -> None:
        tags = [raw(server, path, encoding)[0]["etag"] for encoding in ("gzip", "identity", "gzip", "identity")]

        assert tags[:2] == tags[2:]
        assert tags[0] != tags[1]

    def test_head_has_the_headers_of_get(self, anonymous: Client, path: str) -> None:
        head, get = anonymous.head(path), anonymous.get(path)

        names = {"etag", "content-type", "content-encoding", "content-length", "vary", "access-control-allow-origin"}
        assert head.content == b""
        assert {name: head.headers.get(name) for name in names} == {name: get.headers.get(name) for name in names}


@every_form
def test_pages_of_every_origin_may_read_the_document(anonymous: Client, path: str) -> None:
    response = anonymous.get(path, headers={"Origin": "https://editor.example"})

    assert response.headers["access-control-allow-origin"] == "*"
    assert (json.loads if "json" in path else yaml.safe_load)(response.text)["info"]["title"] == "Distribu API"


def test_no_other_response_may_be_read_by_pages(client: Client) -> None:
    for path in ("/products", "/"):
        response = client.get(path, headers={"Origin": "https://editor.example"})
        assert "access-control-allow-origin" not in response.headers
        assert "content-encoding" not in response.headers
