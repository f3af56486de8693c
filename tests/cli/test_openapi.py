"""`distribu openapi`."""

import json

import pytest
import yaml

from app import editions, spec
from tests.cli.conftest import Command


class TestOpenapi:
    def test_prints_yaml_without_a_database(self, bare: Command) -> None:
        assert bare("openapi").out == spec.to_yaml(editions.served("3.0", "http://127.0.0.1:8000"))

    def test_prints_json(self, bare: Command) -> None:
        assert json.loads(bare("openapi", "--format", "json").out) == editions.served("3.0", "http://127.0.0.1:8000")

    def test_the_server_is_the_public_url(self, bare: Command) -> None:
        document = yaml.safe_load(bare("openapi", public_url="https://shop.example/shop/").out)

        assert [server["url"] for server in document["servers"]] == ["https://shop.example/shop/api/v1"]

    def test_prints_the_3_1_edition(self, bare: Command) -> None:
        printed = json.loads(bare("openapi", "--edition", "3.1", "--format", "json").out)

        assert printed == editions.served("3.1", "http://127.0.0.1:8000")

    def test_a_server_replaces_the_public_url(self, bare: Command) -> None:
        printed = bare("openapi", "--server", "https://other.example/", public_url="https://shop.example").out

        assert [server["url"] for server in yaml.safe_load(printed)["servers"]] == ["https://other.example/api/v1"]

    @pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example", "https://shop.example/api/v1"])
    def test_what_is_not_the_address_of_a_server_is_rejected(self, bare: Command, url: str) -> None:
        result = bare("openapi", "--server", url)

        assert result.code == 2
        assert f"'{url}' is not an http or https URL, such as https://shop.example." in result.err
