"""`distribu openapi`."""

import json

import yaml

from app import spec
from tests.cli.conftest import Command


class TestOpenapi:
    def test_prints_yaml_without_a_database(self, bare: Command) -> None:
        assert bare("openapi").out == spec.to_yaml(spec.served("http://127.0.0.1:8000"))

    def test_prints_json(self, bare: Command) -> None:
        assert json.loads(bare("openapi", "--format", "json").out) == spec.served("http://127.0.0.1:8000")

    def test_the_server_is_the_public_url(self, bare: Command) -> None:
        document = yaml.safe_load(bare("openapi", public_url="https://shop.example/shop/").out)

        assert [server["url"] for server in document["servers"]] == ["https://shop.example/shop/api/v1"]
