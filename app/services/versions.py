"""The versions of resources, from which entity tags are made without reading the resource (contract, section 9.2).

    @versioned(Version.of(PRODUCT, products.SELECT_ONE), id="product_id")
    def get_product(ctx: Context, product_id: str) -> StatusResponse:
        return PRODUCT.one(products.get(ctx, product_id))

A request with `If-None-Match` executes the statement of the version first. If the tag matches, it returns 304,
and the handler does not run (`app/http/conditions.py`). Both make the same tag, because both use the same schema.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Select

from app.queries.rows import RowT, Statement
from app.schemas.base import RowSchema

Rows = Sequence[tuple[object, ...]]
RenderedT = TypeVar("RenderedT", bound=tuple[object, ...])
HandlerT = TypeVar("HandlerT", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Version:
    """The statement that reads a version, without rows if there is no such resource; and the tag of the rows.

    `is_one_row` means that a resource is one row, which its handler reads by its id.
    """

    sql: "Select[tuple[object, ...]]"
    tag: Callable[[Rows], str]
    is_one_row: bool = False

    @classmethod
    def of(cls, schema: RowSchema[RenderedT], statement: Statement[RowT]) -> "Version":
        """Return the version of a resource that is one row of a statement. The row may have more than is rendered."""
        sql = cast("Select[tuple[Any, ...]]", statement.sql)
        columns = [sql.selected_columns[name] for name in schema.version]
        return cls(sql.with_only_columns(*columns), lambda rows: schema.tag_of(rows[0]), is_one_row=True)


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """A version, and the arguments of the operation by the names of the parameters of its statement."""

    version: Version
    arguments: Mapping[str, str]


_QUERIES: dict[Callable[..., object], VersionQuery] = {}


def versioned(version: Version, **arguments: str) -> Callable[[HandlerT], HandlerT]:
    """Register the version of the resource that a handler returns.

    `arguments` has the argument of the handler for each parameter of the statement, except the company and `now`.
    """

    def register(handler: HandlerT) -> HandlerT:
        _QUERIES[handler] = VersionQuery(version, arguments)
        return handler

    return register


def find(handler: Callable[..., object]) -> VersionQuery | None:
    """Return what was registered for a handler, None if there is nothing."""
    return _QUERIES.get(handler)
