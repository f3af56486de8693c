"""What a write does to a product: create it, change it, or nothing; or why it is refused (contract, section 9.3).

The writes of a batch are decided in their order, against the stored products and those that earlier writes of the batch
have planned. Not in this module: the database (`app/services/product_writes.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.context import Context
from app.errors import BODY, InvalidParameterError, NotFoundError, RefusalError, refuse, reject
from app.queries import rows
from app.schemas.products import PRODUCT, ProductKey, ProductRow
from app.services import quantity_rules
from app.services.inventory import LockedProductRow
from app.services.products import TABLE
from app.services.unique_values import ExternalIdTakenError
from models import new_id
from models.base import defaults

NOT_WRITTEN = {"id", "stock", "created_at", "updated_at"}
FIELDS = [name for name in rows.names(ProductRow) if name not in NOT_WRITTEN]
DEFAULTS = defaults(TABLE, FIELDS)
REQUIRED = ("name", "price")
KEYS = ("id", "sku", "external_id")


class SkuTakenError(RefusalError):
    """Another product of the company has the sku."""

    code = "sku_taken"
    pointer = "/sku"

    def __init__(self) -> None:
        """Use the message of the contract (section 9.3)."""
        super().__init__("A product with this SKU already exists.")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductWrite:
    """A product to create or update: its key, or None for a new product, and the fields that are given, by column."""

    key: ProductKey | None
    fields: Mapping[str, object]
    stock: int | None = None  # None if it is not given


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductPlan:
    """What a write does: the product before it, or None for a new one, and all of FIELDS after it."""

    product_id: str
    before: LockedProductRow | None
    fields: Mapping[str, object]
    stock: int  # after the write

    @property
    def has_effect(self) -> bool:
        """Whether the write changes anything."""
        return self.before is None or any(getattr(self.before, name) != value for name, value in self.fields.items())


class Catalogue:
    """The products that a batch names: those that are stored, which are locked, and those that are planned."""

    def __init__(self, stored: Iterable[LockedProductRow]) -> None:
        """Initialize with the stored products."""
        self._stored = {product.id: product for product in stored}
        self._owners: dict[str, dict[object, str]] = {
            column: {getattr(product, column): product.id for product in self._stored.values()} for column in KEYS
        }

    def identify(self, key: ProductKey) -> str | None:
        """Return the id of the product with this key, which may be planned only."""
        return self._owners[key.column].get(key.value)

    def find(self, key: ProductKey) -> LockedProductRow | None:
        """Return the stored product with this key."""
        return self._stored.get(self.identify(key) or "")

    def add(self, plan: ProductPlan) -> None:
        """Add a planned product. What it had before stays taken until the transaction ends."""
        self._owners["id"][plan.product_id] = plan.product_id
        for column in ("sku", "external_id"):
            self._owners[column].setdefault(plan.fields[column], plan.product_id)

    def refusals(self, plan: ProductPlan) -> Iterator[RefusalError]:
        """Yield the refusal of each value that must be unique and that another product has."""
        if self._is_taken("sku", plan):
            yield SkuTakenError()
        if self._is_taken("external_id", plan):
            yield ExternalIdTakenError("A product")

    def _is_taken(self, column: str, plan: ProductPlan) -> bool:
        value = plan.fields[column]
        return value is not None and self._owners[column].get(value, plan.product_id) != plan.product_id


def decide(ctx: Context, write: ProductWrite, catalogue: Catalogue) -> ProductPlan:
    """Decide what a write does, and add it to the catalogue. A key that is an id never creates.

    Raises NotFoundError for an unknown id, PreconditionFailedError, InvalidParameterError for a new product without a
    required field, a stock that is not the stored one and quantity rules that contradict each other, and otherwise
    RefusalError with every reason.
    """
    before = None if write.key is None else catalogue.find(write.key)
    if before is None and write.key is not None and write.key.column == "id":
        raise NotFoundError("Product", pointer="/id")
    ctx.precondition.check(before, PRODUCT.tag)
    plan = _creation(ctx, write) if before is None else _update(before, write)
    _check_quantity_rules(write, plan)
    refuse(catalogue.refusals(plan))
    catalogue.add(plan)
    return plan


def _creation(ctx: Context, write: ProductWrite) -> ProductPlan:
    missing = [name for name in REQUIRED if name not in write.fields]
    reject(InvalidParameterError(name, f"{name} is required", parent=BODY) for name in missing)
    key = {} if write.key is None else {write.key.column: write.key.value}
    given = {**key, **write.fields}
    fields = {name: given.get(name, DEFAULTS[name]) for name in FIELDS}
    return ProductPlan(product_id=new_id(ctx.now), before=None, fields=fields, stock=write.stock or 0)


def _update(before: LockedProductRow, write: ProductWrite) -> ProductPlan:
    if write.stock not in {None, before.stock}:
        raise InvalidParameterError("stock", "stock is changed with inventory adjustments", parent=BODY)
    after = {name: write.fields.get(name, getattr(before, name)) for name in FIELDS}
    return ProductPlan(product_id=before.id, before=before, fields=after, stock=before.stock)


def _check_quantity_rules(write: ProductWrite, plan: ProductPlan) -> None:
    """Raise InvalidParameterError, for the first rule that the write sets, if it contradicts another one."""
    if write.fields.keys().isdisjoint(quantity_rules.JSON_NAMES):
        return
    for columns, message in quantity_rules.contradictions(plan.fields):
        for column in columns:
            if column in write.fields:
                raise InvalidParameterError(quantity_rules.JSON_NAMES[column], message, parent=BODY)
