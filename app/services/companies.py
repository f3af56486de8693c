"""Companies, the tenants: create, find, list, update. Only operators do this, at the command line."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.context import Actor, ActorType, Context
from app.errors import InvalidValueError, NotFoundError
from app.services import audit
from app.services.pricing import MAX_PRICE
from models import Company, new_id

SYSTEM = Actor(type=ActorType.SYSTEM, id="system")
LOCKED = select(Company).where(Company.id == bindparam("own_id")).with_for_update(key_share=True)
MAX_TAX_RATE = Decimal("0.3")


def slugify(name: str) -> str:
    """Return the short name of a company for the command line: 'Müller & Co' gives 'muller-co'."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:60].strip("-")


def create(session: Session, name: str, *, now: datetime, slug: str | None = None, actor: Actor = SYSTEM) -> Company:
    """Make a company. Raises InvalidValueError when the name will not do or its slug is taken."""
    name = _checked_name(name)
    slug = slug or slugify(name)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise InvalidValueError("The name needs a slug of letters a-z, digits and hyphens: give one with --slug.")
    if _by_slug(session, slug) is not None:
        raise InvalidValueError(f"A company with the slug '{slug}' already exists.")
    company = Company(id=new_id(now), name=name, slug=slug, created_at=now)
    session.add(company)
    session.flush()  # its audit entry refers to it
    ctx = Context(session=session, actor=actor, company_id=company.id, request_id=new_id(now), now=now)
    audit.record(ctx, "company.created", "company", company.id, {"after": _described(company)})
    return company


def update(
    ctx: Context, *, name: str | None = None, tax_rate: Decimal | None = None, shipping: Decimal | None = None
) -> Company:
    """Change what is given of the context's company; what changes nothing leaves no trace.

    Orders that are placed keep their amounts. Raises InvalidValueError when a value will not do.
    """
    values = {
        "name": None if name is None else _checked_name(name),
        "tax_rate": _checked("The tax rate", tax_rate, most=MAX_TAX_RATE, places=6),
        "shipping": _checked("The shipping", shipping, most=MAX_PRICE, places=2),
    }
    statement = LOCKED.execution_options(populate_existing=True)
    company = ctx.session.scalars(statement, {"own_id": ctx.company_id}).one()
    before = _described(company)
    for field, value in values.items():
        if value is not None:
            setattr(company, field, value)
    details = audit.changes(before, _described(company))
    if details["after"]:
        audit.record(ctx, "company.updated", "company", company.id, details)
    return company


def find(session: Session, slug: str) -> Company:
    """Return the company with this slug. Raises NotFoundError."""
    company = _by_slug(session, slug)
    if company is None:
        raise NotFoundError(f"Company '{slug}'")
    return company


def list_all(session: Session) -> Sequence[Company]:
    """Return every company in the order of their slugs."""
    return session.scalars(select(Company).order_by(Company.slug)).all()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 200:
        raise InvalidValueError("The name must be between 1 and 200 characters.")
    return name


def _checked(noun: str, value: Decimal | None, *, most: Decimal, places: int) -> Decimal | None:
    """Return `value` unless it is out of range, or finer than its column."""
    if value is not None and not 0 <= value <= most:
        raise InvalidValueError(f"{noun} must be between 0 and {most}.")
    if value is not None and value != round(value, places):
        raise InvalidValueError(f"{noun} must have at most {places} decimal places.")
    return value


def _described(company: Company) -> dict[str, Any]:
    """Return what the audit log says of a company."""
    return {
        "name": company.name,
        "slug": company.slug,
        "taxRate": float(company.tax_rate),
        "shipping": float(company.shipping),
    }


def _by_slug(session: Session, slug: str) -> Company | None:
    return session.scalars(select(Company).where(Company.slug == slug)).one_or_none()
