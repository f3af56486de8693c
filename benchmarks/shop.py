"""The data of this server under load: one company with 10,000 products and 100,000 orders.

The other servers have as much (docs/performance.md). The webhook makes every new order queue a delivery, as theirs do.
"""

from collections.abc import Callable

from app.context import now
from app.db import Database
from app.demo import company as demo_company
from app.demo import volume
from app.services import webhook_secrets, webhooks
from benchmarks import stores
from models import new_id
from tests.support import factories
from tests.support.factories import Tenant

PRODUCTS, ORDERS = 10_000, 100_000
STOCK = 10_000_000  # more than any run orders
EVENT = "order.created"


def fill(database: Database, advance: Callable[[int], None]) -> Tenant:
    """Create the company with its data, and a key. `advance` is called with the number of orders of each batch."""
    tenant = factories.tenant(database)
    _orders(database, tenant.company_id, advance)
    factories.products(database, tenant.company_id, PRODUCTS, stock=STOCK, unit="box")
    _webhook(database, tenant.company_id)
    stores.settle(database)
    return tenant


def _orders(database: Database, company_id: str, advance: Callable[[int], None]) -> None:
    with database.transaction(write=True) as session:
        data = volume.prepare(factories.context(session, company_id), demo_company.CHARGES)
    for batch in volume.batches(data, ORDERS):
        with database.transaction(write=True) as session:
            volume.write(factories.context(session, company_id), batch)
        advance(len(batch.orders))


def _webhook(database: Database, company_id: str) -> None:
    row = {
        "id": new_id(now()),
        "company_id": company_id,
        "url": "https://receiver.example/hooks",
        "events": [EVENT],
        "is_active": True,
        "secret": webhook_secrets.generate(),
        "created_at": now(),
        "updated_at": now(),
    }
    with database.transaction(write=True) as session:
        session.connection().execute(webhooks.TABLE.insert(), row)
