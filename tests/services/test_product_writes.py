"""Products that are written together: in their order, with a number of statements that does not grow."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from app.context import Context
from app.db import Database
from app.errors import InvalidParameterError, NotFoundError, RefusalError
from app.schemas.products import ProductKey, ProductUpsert
from app.services import product_plans, product_writes
from app.services.product_plans import ProductWrite
from app.services.product_writes import WrittenProduct
from models import AuditEntry, Event, InventoryMovement
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.statements import counted


def named(sku: str, **fields: object) -> ProductWrite:
    return product_writes.from_draft(ProductKey("sku", sku), ProductUpsert(**fields))  # type: ignore[arg-type]


def run(ctx: Context, writes: Sequence[ProductWrite]) -> list[WrittenProduct]:
    catalogue = product_writes.load(ctx, writes)
    return product_writes.apply(ctx, [product_plans.decide(ctx, write, catalogue) for write in writes])


@pytest.mark.parametrize("number", [1, 300])
def test_the_number_of_statements_does_not_grow(database: Database, tenant: Tenant, number: int) -> None:
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        creations = [named(f"S{index}", name=f"Product {index}", price=Decimal(1)) for index in range(number)]
        updates = [named(f"S{index}", price=Decimal(2), external_id=f"E{index}") for index in range(number)]
        with counted(session) as created:
            run(ctx, creations)
        with counted(session) as updated:
            run(ctx, updates)
        with counted(session) as unchanged:
            run(ctx, updates)

    assert (len(created), len(updated), len(unchanged)) == (6, 6, 1)


def test_products_are_returned_and_recorded_in_the_order_of_the_writes(database: Database, tenant: Tenant) -> None:
    one, two = factories.products(database, tenant.company_id, 2, price=Decimal(1))
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        writes = [
            named("New", name="New", price=Decimal(1), stock=7),
            ProductWrite(key=ProductKey("id", two), fields={"name": "Two"}),
            ProductWrite(key=ProductKey("id", one), fields={"price": Decimal(1)}),
            ProductWrite(key=None, fields={"name": "Nameless", "price": Decimal(1)}),
        ]
        written = run(ctx, writes)
        ids = [result.product.id for result in written]
        entries = session.query(AuditEntry.entity_id).filter_by(company_id=tenant.company_id, entity_type="product")
        events = session.query(Event.entity_id).filter_by(company_id=tenant.company_id).order_by(Event.id)
        recorded = [entity_id for (entity_id,) in entries.order_by(AuditEntry.id)]
        published = [entity_id for (entity_id,) in events]
        openings = session.query(InventoryMovement.stock_after).filter(InventoryMovement.product_id == ids[0]).all()

    assert [result.is_new for result in written] == [True, False, False, True]
    assert [result.product.name for result in written][:2] == ["New", "Two"]
    assert ids[1:3] == [two, one]
    assert recorded == published == [ids[0], ids[1], ids[3]]
    assert openings == [(7,)]


def test_a_value_that_an_earlier_write_of_the_batch_takes_or_gives_up_is_taken(
    database: Database, tenant: Tenant
) -> None:
    (first,) = factories.products(database, tenant.company_id, 1, sku="A")
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        renamed = ProductWrite(key=ProductKey("id", first), fields={"sku": "B"})
        others = [ProductWrite(key=None, fields={"name": "x", "price": Decimal(1), "sku": sku}) for sku in ("A", "B")]
        catalogue = product_writes.load(ctx, [renamed, *others])
        plan = product_plans.decide(ctx, renamed, catalogue)
        for other in others:
            with pytest.raises(RefusalError, match="A product with this SKU already exists"):
                product_plans.decide(ctx, other, catalogue)
        (result,) = product_writes.apply(ctx, [plan])

    assert result.product.sku == "B"


def test_a_write_that_is_refused_takes_nothing(database: Database, tenant: Tenant) -> None:
    factories.product(database, tenant.company_id, external_id="1")
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        refused = named("A", name="x", price=Decimal(1), external_id="1")
        accepted = named("B", name="x", price=Decimal(1), external_id="2")
        catalogue = product_writes.load(ctx, [refused, accepted])
        with pytest.raises(RefusalError):
            product_plans.decide(ctx, refused, catalogue)
        assert catalogue.identify(ProductKey("sku", "A")) is None
        plan = product_plans.decide(ctx, accepted, catalogue)
        assert catalogue.identify(ProductKey("sku", "B")) == plan.product_id


def test_only_an_unknown_id_is_not_found_and_a_new_product_needs_name_and_price(
    database: Database, tenant: Tenant
) -> None:
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        catalogue = product_writes.load(ctx, [])
        with pytest.raises(NotFoundError):
            product_plans.decide(ctx, ProductWrite(key=ProductKey("id", "x"), fields={}), catalogue)
        for fields, missing in (({"price": Decimal(1)}, "name"), ({"name": "x"}, "price")):
            with pytest.raises(InvalidParameterError, match=f"{missing} is required") as caught:
                product_plans.decide(ctx, named("A", **fields), catalogue)
            assert caught.value.pointer == f"/{missing}"
