"""Tables, constraints and the invariants of one row. Imports nothing else of this project."""

from models.api_key import ApiKey, KeyStatus, Scope
from models.audit import AuditEntry
from models.base import MAX_AMOUNT, Base, new_id
from models.company import Company
from models.customer import Customer, CustomerStatus, PriceOverride
from models.event import Event, EventType
from models.idempotency import StoredAnswer
from models.order import NEXT, Order, OrderItem, OrderStatus
from models.product import Product, searchable

__all__ = [
    "MAX_AMOUNT",
    "NEXT",
    "ApiKey",
    "AuditEntry",
    "Base",
    "Company",
    "Customer",
    "CustomerStatus",
    "Event",
    "EventType",
    "KeyStatus",
    "Order",
    "OrderItem",
    "OrderStatus",
    "PriceOverride",
    "Product",
    "Scope",
    "StoredAnswer",
    "new_id",
    "searchable",
]
