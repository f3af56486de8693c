"""A company, and methods that create and read what tests of several operations need."""

import json
import uuid
from typing import Any

import httpx

from app.db import Database
from models import Event
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant


class Company:
    """A company, and a client with a key that has every scope."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client = client
        self.tenant = tenant
        self.database = database

    def product(self, **fields: Any) -> str:
        """Insert a product with a stock of 10, and return its id."""
        return factories.product(self.database, self.tenant.company_id, **{"stock": 10, **fields})

    def count(self, model: type[Any]) -> int:
        """Return the number of rows of the company."""
        return factories.count(self.database, model, self.tenant.company_id)


class BulkCompany(Company):
    """A company, and methods to send bulk requests to `path`."""

    path: str

    def send(self, *items: Any, key: str | None = None, **fields: Any) -> httpx.Response:
        """Send a bulk request, with a new key by default."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4()), "Content-Type": "application/json"}
        text = json.dumps({"items": items, **fields}, ensure_ascii=False)
        body = text.encode(errors="backslashreplace")  # \\ud800 is JSON for an unpaired surrogate
        return self.client.post(self.path, content=body, headers=headers)

    def results(self, *items: Any) -> list[dict[str, Any]]:
        """Return the results of a request with the mode `each`."""
        response = self.send(*items, mode="each")
        assert response.status_code == 200, response.text
        return list(response.json()["data"]["results"])

    def events(self) -> list[tuple[str, str, int]]:
        """Return the type, the entity and the sequence of every event, in their order."""
        with self.database.transaction() as session:
            found = session.query(Event).filter_by(company_id=self.tenant.company_id).order_by(Event.id)
            return [(event.type, event.entity_id, event.sequence) for event in found]
