"""A company whose API keys create, rotate and revoke API keys."""

from typing import Any

import httpx

from app.db import Database
from models import ApiKey, AuditEntry, Scope
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant

NEW = {"name": "Web shop", "scopes": ["products:read"]}


class KeyCompany:
    """A company, and requests with keys of it."""

    def __init__(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        self.anonymous, self.tenant, self.database = anonymous, tenant, database

    def key(self, *scopes: Scope, **fields: Any) -> tuple[str, str]:
        """Create a key, by default with every scope; return its id and its plaintext."""
        return factories.api_key(self.database, self.tenant.company_id, scopes=scopes or tuple(Scope), **fields)

    def ended_caller(self, change: dict[str, Any]) -> tuple[str, str]:
        """Create a key that the server has cached, and change it as another process does. Return id and plaintext."""
        key_id, caller = self.key()
        self.data(self.send("GET", "/me", caller))
        with self.database.transaction(write=True) as session:
            for name, value in change.items():
                setattr(session.get_one(ApiKey, key_id), name, value)
        return key_id, caller

    def send(self, method: str, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        """Send a request with a key, by default the one with every scope."""
        headers = {"Authorization": f"Bearer {key or self.tenant.key}", **options.pop("headers", {})}
        return self.anonymous.request(method, path, headers=headers, **options)

    def create(self, caller: str | None = None, /, **fields: Any) -> httpx.Response:
        """Create a key with another key."""
        return self.send("POST", "/api-keys", caller, json={**NEW, **fields})

    def rotate(
        self, key_id: str, caller: str | None = None, grace: int | None = None, **headers: str
    ) -> httpx.Response:
        """Rotate a key with another key, or with itself."""
        body = {} if grace is None else {"json": {"graceSeconds": grace}}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", f"/api-keys/{key_id}/rotate", caller, headers=names, **body)

    def get(self, key_id: str) -> dict[str, Any]:
        """Return a key."""
        return self.data(self.send("GET", f"/api-keys/{key_id}"))

    def data(self, response: httpx.Response) -> dict[str, Any]:
        """Return the resource of a successful response."""
        assert response.status_code < 300, response.text
        return dict(response.json()["data"])

    def audited(self, action: str) -> list[AuditEntry]:
        """Return the entries of an action by API keys, oldest first."""
        with self.database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(company_id=self.tenant.company_id, action=action)
            return entries.filter_by(actor_type="API_KEY").order_by(AuditEntry.id).all()
