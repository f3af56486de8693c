"""Reads responses with every list of values through a client by openapi-python-client."""

import os
import uuid
from collections.abc import Callable

from distribu import AuthenticatedClient
from distribu.api.api_keys import get_me, list_api_keys
from distribu.api.audit_log import get_audit_seal, list_audit_entries
from distribu.api.bulk import upsert_products
from distribu.api.customers import list_customers
from distribu.api.events import list_events
from distribu.api.inventory import list_inventory_movements
from distribu.api.orders import list_orders
from distribu.api.products import list_products
from distribu.api.refunds import list_credit_notes
from distribu.api.reports import get_customers_report, get_inventory_report, get_sales_report
from distribu.api.returns import list_returns
from distribu.api.webhooks import list_webhook_deliveries, list_webhooks
from distribu.models import BulkProduct, BulkProductsUpsert, ErrorResponse, WebhookList

OPERATIONS: list[Callable[..., object]] = [
    *(get_me.sync, list_api_keys.sync, get_audit_seal.sync, list_audit_entries.sync, list_customers.sync),
    *(list_events.sync, list_inventory_movements.sync, list_orders.sync, list_products.sync, list_credit_notes.sync),
    *(get_customers_report.sync, get_inventory_report.sync, get_sales_report.sync, list_returns.sync),
]

api = AuthenticatedClient(base_url=os.environ["DISTRIBU_URL"] + "/api/v1", token=os.environ["DISTRIBU_API_KEY"])
products = BulkProductsUpsert(items=[BulkProduct(sku="FLR-SW-16", price=24.9)])
webhooks = list_webhooks.sync(client=api)
assert isinstance(webhooks, WebhookList), webhooks
responses = [
    upsert_products.sync(client=api, body=products, idempotency_key=str(uuid.uuid4())),
    list_webhook_deliveries.sync(webhooks.data[0].id, client=api),
    *(operation(client=api) for operation in OPERATIONS),
]
for response in responses:
    assert response is not None, responses
    assert not isinstance(response, ErrorResponse), response
