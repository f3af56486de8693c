"""Rows that were just written: which columns they accept, and where the values of a row come from."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.db import Database
from app.queries import rows
from app.queries.rows import Row, Statement
from app.queries.written_rows import Insert, WrittenRow
from models import Customer, CustomerStatus, Product, new_id
from models.base import table
from tests.support import factories, statements
from tests.support.factories import Tenant

CUSTOMERS, PRODUCTS = table(Customer), table(Product)


class CustomerRow(Row):
    """A customer, with the name of a product."""

    id: str
    state: str
    credit_limit: Decimal | None
    product_name: str
    email_verified: bool
    created_at: datetime


COLUMNS = (
    CUSTOMERS.c.id,
    CUSTOMERS.c.status.label("state"),
    CUSTOMERS.c.credit_limit,
    PRODUCTS.c.name.label("product_name"),
    CUSTOMERS.c.email_verified,
    CUSTOMERS.c.created_at,
)
INSERT = Insert(CustomerRow, CUSTOMERS, COLUMNS)
WRITTEN = WrittenRow(CustomerRow, CUSTOMERS, COLUMNS)
SELECT_ALL = Statement(
    CustomerRow,
    sa.select(*COLUMNS)
    .join(PRODUCTS, PRODUCTS.c.company_id == CUSTOMERS.c.company_id)
    .where(CUSTOMERS.c.company_id == sa.bindparam("company_id"))
    .order_by(CUSTOMERS.c.id),
)
AT = datetime(2026, 7, 1, 12, 30, 15, 123_999, tzinfo=UTC)


def given(tenant: Tenant, **fields: object) -> dict[str, object]:
    values = {"id": new_id(AT), "company_id": tenant.company_id, "created_at": AT, "updated_at": AT}
    return {**values, "email": f"{values['id']}@example.com", "product_name": "Tea", **fields}


def test_rows_are_those_that_a_statement_reads_without_one(database: Database, tenant: Tenant) -> None:
    factories.product(database, tenant.company_id, name="Tea")
    values = [
        given(tenant, status=CustomerStatus.BLOCKED, credit_limit=Decimal("12.5")),
        given(tenant, status="ACTIVE", credit_limit=None),
    ]
    with database.transaction(write=True) as session, statements.counted(session) as sent:
        inserted = [*INSERT.all(session, values), INSERT.one(session, given(tenant))]
        found = SELECT_ALL.all(session, {"company_id": tenant.company_id})

    first, _, last = inserted
    assert len(sent) == 3
    assert (first.state, type(first.state), str(first.credit_limit)) == ("BLOCKED", str, "12.50")
    assert (last.state, type(last.state), last.credit_limit) == ("ACTIVE", str, None)
    assert first.created_at == AT.replace(microsecond=123_000)
    assert inserted == found


def test_a_time_of_another_zone_is_read_in_utc(database: Database, tenant: Tenant) -> None:
    at = AT.astimezone(datetime.now().astimezone().tzinfo) + timedelta(hours=1)
    with database.transaction(write=True) as session:
        row = INSERT.one(session, given(tenant, created_at=at))

    assert row.created_at.isoformat() == "2026-07-01T13:30:15.123000+00:00"


def test_an_amount_with_too_many_places_is_not_inserted(database: Database, tenant: Tenant) -> None:
    with database.transaction(write=True) as session, pytest.raises(ValueError, match="more than 2 places"):
        INSERT.one(session, given(tenant, credit_limit=Decimal("0.001")))


def test_an_updated_row_has_the_values_that_are_given_and_those_before_it() -> None:
    before = CustomerRow(("id", "ACTIVE", Decimal("1.00"), "Tea", False, AT))

    after = WRITTEN.updated(before, {"company_id": "c", "status": CustomerStatus.BLOCKED, "credit_limit": Decimal(2)})

    assert (type(after.state), str(after.credit_limit)) == (str, "2.00")
    assert (type(after), list(after)) == (CustomerRow, ["id", "BLOCKED", Decimal(2), "Tea", False, AT])
    assert WRITTEN.updated(before, {"credit_limit": None}).credit_limit is None


def test_a_column_that_replaces_a_null_has_the_value_that_is_given() -> None:
    class ChangedRow(Row):
        updated_at: datetime

    columns = [sa.func.coalesce(CUSTOMERS.c.updated_at, CUSTOMERS.c.created_at).label("updated_at")]

    written = WrittenRow(ChangedRow, CUSTOMERS, columns).inserted({"updated_at": AT, "created_at": AT - timedelta(1)})

    assert written.updated_at == AT.replace(microsecond=123_000)


def test_other_columns_than_those_of_the_row_are_rejected() -> None:
    class EmailRow(Row):
        email: str

    with pytest.raises(TypeError, match="EmailRow: column 1 must be email, but is name"):
        Insert(EmailRow, CUSTOMERS, [CUSTOMERS.c.name])


def test_a_value_that_the_database_calculates_is_rejected() -> None:
    class LowerEmailRow(Row):
        email: str

    with pytest.raises(TypeError, match="is not known"):
        Insert(LowerEmailRow, CUSTOMERS, [sa.func.lower(CUSTOMERS.c.email).label("email")])


@pytest.mark.parametrize("options", [{"default": str}, {"server_default": "x"}])
def test_a_default_that_is_not_a_constant_is_rejected(options: dict[str, object]) -> None:
    class CodeRow(Row):
        code: str

    codes = sa.Table("codes", sa.MetaData(), sa.Column("code", sa.String, nullable=False, **options))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"codes\.code after an insert is not known, because its default"):
        Insert(CodeRow, codes, rows.columns(CodeRow, codes))


def test_a_type_without_a_rule_is_rejected() -> None:
    class DayRow(Row):
        day: str

    days = sa.Table("days", sa.MetaData(), sa.Column("day", sa.Date, nullable=False))

    with pytest.raises(TypeError, match=r"days\.day after an insert is not known"):
        Insert(DayRow, days, [days.c.day])
