"""A refund takes the same statements for any number of items."""

import pytest

from app.db import Database
from app.schemas.refunds import RefundCreate
from app.services import refunds
from models import RefundMethod
from tests.support import factories, statements
from tests.support.client import Client
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany


@pytest.mark.parametrize("method", RefundMethod)
def test_the_number_of_statements_is_fixed(
    client: Client, tenant: Tenant, database: Database, method: RefundMethod
) -> None:
    company = RefundsCompany(client, tenant, database)
    counts = []
    for items in (1, 30):
        order = company.order(*[2] * items)
        for _ in range(2):
            returned = company.returned(order, *[1] * items, status="RECEIVED")
            with database.transaction(write=True) as session, statements.counted(session) as sent:
                ctx = factories.context(session, tenant.company_id)
                refunds.refund(ctx, returned["id"], RefundCreate(method=method))
            counts.append(len(sent))

    assert len(set(counts)) == 1, counts
