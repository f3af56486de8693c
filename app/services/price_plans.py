"""What setting a price does: create it, change it, or nothing; or why it is refused (contract, section 9.4).

Not in this module: the database (`app/services/price_writes.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.errors import NotFoundError
from app.schemas.base import given_or
from app.schemas.customers import CustomerKey
from app.schemas.prices import PriceOverrideUpsert
from app.schemas.products import ProductKey
from app.services.prices import PriceKey, PriceTerms, SinglePriceRow


class StoredPriceRow(SinglePriceRow):
    """A price override with the columns that identify its row."""

    customer_id: str


class PriceNames(Protocol):
    """Whatever names a customer and a product."""

    @property
    def customer(self) -> CustomerKey:
        """The key of the customer."""

    @property
    def product(self) -> ProductKey:
        """The key of the product."""


class PriceWrite(NamedTuple):
    """A price to be set for the customer and the product that the keys name."""

    customer: CustomerKey
    product: ProductKey
    draft: PriceOverrideUpsert


class PricePlan(NamedTuple):
    """What a write does to a price override: the row before it, or None for a new one, and its terms after it."""

    key: PriceKey
    before: StoredPriceRow | None
    after: PriceTerms

    @property
    def terms_before(self) -> PriceTerms | None:
        """The terms before the write, None if the price override is new."""
        return None if self.before is None else PriceTerms(self.before.price, self.before.price_breaks)

    @property
    def has_effect(self) -> bool:
        """Whether the write changes anything."""
        return self.terms_before != self.after


@dataclass(frozen=True, slots=True)
class NamedResources:
    """The customers, the products and the stored prices that the writes of a batch name. Unknown ones are left out."""

    customer_ids: Mapping[CustomerKey, str]
    product_ids: Mapping[ProductKey, str]
    prices: Mapping[PriceKey, StoredPriceRow]


def decide(named: NamedResources, write: PriceWrite) -> PricePlan:
    """Decide what a write does. Raises NotFoundError with everything that does not exist."""
    missing = tuple(_missing(named, write))
    if missing:
        missing[0].missing = missing
        raise missing[0]
    key = PriceKey(named.customer_ids[write.customer], named.product_ids[write.product])
    before = named.prices.get(key)
    price_breaks = given_or(write.draft.price_breaks, before.price_breaks if before else ())
    return PricePlan(key, before, PriceTerms(write.draft.price, price_breaks))


def _missing(named: NamedResources, write: PriceWrite) -> Iterator[NotFoundError]:
    """Yield an error for the customer and for the product, if they do not exist."""
    if write.customer not in named.customer_ids:
        yield NotFoundError("Customer", pointer=write.customer.pointer)
    if write.product not in named.product_ids:
        yield NotFoundError("Product", pointer=write.product.pointer)
