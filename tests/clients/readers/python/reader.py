"""Reads responses with every list of values through a client by openapi-generator."""

import os
import uuid

import distribu
from distribu.models.bulk_product import BulkProduct
from distribu.models.bulk_products_upsert import BulkProductsUpsert

host = os.environ["DISTRIBU_URL"] + "/api/v1"
configuration = distribu.Configuration(host=host, access_token=os.environ["DISTRIBU_API_KEY"])
with distribu.ApiClient(configuration) as api:
    webhooks = distribu.WebhooksApi(api)
    webhooks.list_webhook_deliveries(webhooks.list_webhooks().data[0].id)
    products = BulkProductsUpsert(items=[BulkProduct(sku="FLR-SW-16", price=24.9)])
    distribu.BulkApi(api).upsert_products(str(uuid.uuid4()), products)
    distribu.APIKeysApi(api).get_me()
    distribu.APIKeysApi(api).list_api_keys()
    distribu.AuditLogApi(api).get_audit_seal()
    distribu.AuditLogApi(api).list_audit_entries()
    distribu.CustomersApi(api).list_customers()
    distribu.EventsApi(api).list_events()
    distribu.InventoryApi(api).list_inventory_movements()
    distribu.OrdersApi(api).list_orders()
    distribu.ProductsApi(api).list_products()
    distribu.RefundsApi(api).list_credit_notes()
    distribu.ReportsApi(api).get_customers_report()
    distribu.ReportsApi(api).get_inventory_report()
    distribu.ReportsApi(api).get_sales_report()
    distribu.ReturnsApi(api).list_returns()
