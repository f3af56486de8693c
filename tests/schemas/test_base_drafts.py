"""A draft has the values that marshmallow loads from a body."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import marshmallow
import pytest
from marshmallow import fields

import app.schemas
from app import spec
from app.schemas.base import DraftSchema, Json

EXAMPLES = spec.SOURCE / "components" / "examples"


def subclasses(base: type[DraftSchema[Any]]) -> Iterator[type[DraftSchema[Any]]]:
    for found in base.__subclasses__():
        yield found
        yield from subclasses(found)


def schemas_with_examples() -> Iterator[tuple[type[DraftSchema[Any]], Json]]:
    """Yield the schema of every request body that has an example in the document, with that."""
    for module in pkgutil.iter_modules(app.schemas.__path__):
        importlib.import_module(f"app.schemas.{module.name}")
    for schema in subclasses(DraftSchema):
        name = schema.__name__.removesuffix("Schema")
        if schema.__module__.startswith("app.") and (EXAMPLES / f"{name}.yaml").exists():
            yield schema, spec.example(name)


CASES = [pytest.param(schema, body, id=schema.__name__) for schema, body in schemas_with_examples()]


def loaded(schema: marshmallow.Schema, body: Json) -> Json:
    """Return what marshmallow loads, without a draft: also for nested objects."""
    plain = {name: plain_field(field) for name, field in schema.load_fields.items()}
    found = marshmallow.Schema.from_dict(plain)().load(body)
    assert isinstance(found, dict)
    return found


def plain_field(field: fields.Field[Any]) -> fields.Field[Any]:
    if isinstance(field, fields.List):
        return type(field)(plain_field(field.inner), data_key=field.data_key, allow_none=field.allow_none)
    if isinstance(field, fields.Nested):
        nested = {name: plain_field(inner) for name, inner in field.schema.load_fields.items()}
        return fields.Nested(marshmallow.Schema.from_dict(nested), data_key=field.data_key)
    return field


def as_json(value: object) -> object:
    """Return the fields of a draft that are given in a body, as marshmallow returns them."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    slots = getattr(type(value), "__dataclass_fields__", None)
    if slots is None or type(value).__module__ == "datetime":
        return value
    return {name: as_json(getattr(value, name)) for name in slots}


def without_defaults(draft: object, given: object) -> object:
    """Return the members of `draft` that `given` has."""
    if isinstance(draft, dict) and isinstance(given, dict):
        return {name: without_defaults(draft[name], value) for name, value in given.items()}
    if isinstance(draft, list) and isinstance(given, list):
        return [without_defaults(one, other) for one, other in zip(draft, given, strict=True)]
    return draft


def bodies(schema: DraftSchema[Any], body: Json) -> Iterator[Json]:
    """Yield a body, and the same with each member that may be null as null."""
    yield body
    nullable = [str(field.data_key) for field in schema.load_fields.values() if field.allow_none]
    for name in nullable:
        yield {**body, name: None}


@pytest.mark.parametrize(("schema_type", "example"), CASES)
def test_a_draft_has_what_marshmallow_loads(schema_type: type[DraftSchema[Any]], example: Json) -> None:
    schema = schema_type()
    for body in bodies(schema, example):
        expected = loaded(schema, body)

        assert without_defaults(as_json(schema.load(body)), expected) == expected


def test_every_kind_of_body_has_an_example() -> None:
    assert len(CASES) >= 20
