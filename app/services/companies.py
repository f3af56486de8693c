"""Companies, the tenants: create, find, list. Only operators do this, at the command line."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import DomainError, NotFoundError
from models import Company, new_id


def slugify(name: str) -> str:
    """Return the short name of a company for the command line: 'Müller & Co' gives 'muller-co'."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:60].strip("-")


def create(session: Session, name: str, *, now: datetime, slug: str | None = None) -> Company:
    """Make a company. Raises DomainError when the name will not do or its slug is taken."""
    name = name.strip()
    slug = slug or slugify(name)
    if not 1 <= len(name) <= 200:
        raise DomainError("The name must be between 1 and 200 characters.")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise DomainError("The name needs a slug of letters a-z, digits and hyphens: give one with --slug.")
    if _by_slug(session, slug) is not None:
        raise DomainError(f"A company with the slug '{slug}' already exists.")
    company = Company(id=new_id(now), name=name, slug=slug, created_at=now)
    session.add(company)
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


def _by_slug(session: Session, slug: str) -> Company | None:
    return session.scalars(select(Company).where(Company.slug == slug)).one_or_none()
