"""A company that refunds returns, and methods that do so."""

import uuid
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import select

from models import Company as CompanyRow
from models import Refund
from tests.support import factories
from tests.support.returns_company import ReturnsCompany

TAX_RATE, SHIPPING = "0.0825", "12.50"


class RefundsCompany(ReturnsCompany):
    """A company with a tax rate of 8.25% and a flat shipping of 12.50."""

    def set_terms(self, *, tax_rate: str = TAX_RATE, shipping: str = SHIPPING) -> None:
        """Set the tax rate and the flat shipping of later orders."""
        factories.terms(self.database, self.tenant.company_id, tax_rate=tax_rate, shipping=shipping)

    def refund(
        self, found: dict[str, Any], method: str = "CREDIT_NOTE", *, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Refund a return, with a new key by default."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.client.post(f"/returns/{found['id']}/refund", json={"method": method, **fields}, headers=headers)

    def refunded(self, found: dict[str, Any], method: str = "CREDIT_NOTE", **fields: Any) -> dict[str, Any]:
        """Refund a return, and return it with its credit note."""
        response = self.refund(found, method, **fields)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    def note(self, found: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Refund a return by credit note, and return the credit note."""
        return dict(self.refunded(found, **fields)["creditNote"])

    def void(self, note: dict[str, Any], reason: str = "A mistake.") -> httpx.Response:
        return self.client.post(f"/credit-notes/{note['id']}/void", json={"reason": reason})

    def voided(self, note: dict[str, Any]) -> dict[str, Any]:
        response = self.void(note)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    def get_note(self, note: dict[str, Any]) -> dict[str, Any]:
        return dict(self.client.get(f"/credit-notes/{note['id']}").raise_for_status().json()["data"])

    def refunds(self) -> Sequence[Refund]:
        """Return the refunds of the company in the order of their numbers."""
        with self.database.transaction() as session:
            own = select(Refund).filter_by(company_id=self.tenant.company_id).order_by(Refund.number)
            return session.scalars(own).all()

    def last_number(self) -> int:
        """Return the counter of the company."""
        with self.database.transaction() as session:
            return session.get_one(CompanyRow, self.tenant.company_id).credit_note_number
