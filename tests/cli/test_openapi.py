"""`distribu openapi`."""

import json

import yaml

from app import spec
from tests.cli.conftest import Command


class TestOpenapi:
    def test_prints_the_document_as_yaml_without_a_database(self, bare: Command) -> None:
        assert yaml.safe_load(bare("openapi").out) == yaml.safe_load(spec.to_yaml(spec.document()))

    def test_prints_the_document_as_json(self, bare: Command) -> None:
        assert json.loads(bare("openapi", "--format", "json").out) == spec.document()
