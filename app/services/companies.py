"""Companies, the tenants: create, find, list, update, lock. Only operators create and change them, on the command line.

Companies are ORM objects and not typed rows: operators read and change one at a time.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app import currencies
from app.context import Actor, ActorType, Context
from app.errors import InvalidValueError, NotFoundError
from app.services import audit
from app.services.pricing import MAX_PRICE
from models import Company, new_id

SYSTEM = Actor(type=ActorType.SYSTEM, id="system")
SELECT_ONE_FOR_UPDATE = (
    select(Company)
    .where(Company.id == bindparam("own_id"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
MAX_TAX_RATE = Decimal("0.3")


def slugify(name: str) -> str:
    """Return the slug of a company name: 'Müller & Co' becomes 'muller-co'."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:60].strip("-")


def create(
    session: Session,
    name: str,
    *,
    now: datetime,
    slug: str | None = None,
    currency: str = currencies.DEFAULT_CODE,
    actor: Actor = SYSTEM,
) -> Company:
    """Create a company. Raises InvalidValueError if a value is not valid or the slug is taken."""
    name, currency = _checked_name(name), _checked_currency(currency)
    slug = slug or slugify(name)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise InvalidValueError("The slug must consist of letters a-z, digits and hyphens. Set it with --slug.")
    if _by_slug(session, slug) is not None:
        raise InvalidValueError(f"A company with the slug '{slug}' already exists.")
    company = Company(id=new_id(now), name=name, slug=slug, currency=currency, created_at=now)
    session.add(company)
    session.flush()  # the audit entry refers to it
    ctx = Context(session=session, actor=actor, company_id=company.id, request_id=new_id(now), now=now)
    audit.record(ctx, "company.created", "company", company.id, {"after": _details(company)})
    return company


def update(
    ctx: Context,
    *,
    name: str | None = None,
    tax_rate: Decimal | None = None,
    shipping: Decimal | None = None,
    currency: str | None = None,
) -> Company:
    """Update the given values of the company. An update that changes nothing is not recorded.

    Existing orders keep their amounts, and a new currency converts none. Raises InvalidValueError if a value is not
    valid.
    """
    values = {
        "name": None if name is None else _checked_name(name),
        "tax_rate": _checked("The tax rate", tax_rate, maximum=MAX_TAX_RATE, places=6),
        "shipping": _checked("The shipping", shipping, maximum=MAX_PRICE, places=2),
        "currency": None if currency is None else _checked_currency(currency),
    }
    company = lock(ctx)
    before = _details(company)
    for field, value in values.items():
        if value is not None:
            setattr(company, field, value)
    details = audit.changes(before, _details(company))
    if details["after"]:
        audit.record(ctx, "company.updated", "company", company.id, details)
    return company


def lock(ctx: Context) -> Company:
    """Return the company, locked until the transaction ends.

    A service that limits the number of something in a company counts under this lock, so that concurrent requests
    cannot exceed the limit.
    """
    return ctx.session.scalars(SELECT_ONE_FOR_UPDATE, {"own_id": ctx.company_id}).one()


def get(ctx: Context) -> Company:
    """Return the company."""
    return ctx.session.get_one(Company, ctx.company_id)


def find(session: Session, slug: str) -> Company:
    """Return the company with this slug. Raises NotFoundError."""
    company = _by_slug(session, slug)
    if company is None:
        raise NotFoundError(f"Company '{slug}'")
    return company


def list_all(session: Session) -> Sequence[Company]:
    """Return every company, sorted by slug."""
    return session.scalars(select(Company).order_by(Company.slug)).all()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise InvalidValueError("The name must be between 1 and 200 characters.")
    return name


def _checked_currency(code: str) -> str:
    """Return a currency in upper case. Raises InvalidValueError if ISO 4217 does not have it."""
    if code.upper() not in currencies.CODES:
        raise InvalidValueError(f"'{code}' is not the code of a currency in ISO 4217. Use one like EUR or USD.")
    return code.upper()


def _checked(noun: str, value: Decimal | None, *, maximum: Decimal, places: int) -> Decimal | None:
    """Return `value`. Raises InvalidValueError if it is out of range or has more decimal places than its column."""
    if value is not None and not 0 <= value <= maximum:
        raise InvalidValueError(f"{noun} must be between 0 and {maximum}.")
    if value is not None and value != round(value, places):
        raise InvalidValueError(f"{noun} must have at most {places} decimal places.")
    return value


def _details(company: Company) -> audit.Details:
    """Return what the audit log records of a company."""
    return {
        "name": company.name,
        "slug": company.slug,
        "taxRate": float(company.tax_rate),
        "shipping": float(company.shipping),
        "currency": company.currency,
    }


def _by_slug(session: Session, slug: str) -> Company | None:
    return session.scalars(select(Company).where(Company.slug == slug)).one_or_none()
