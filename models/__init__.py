"""Tables, their constraints, and rules about a single row. Imports nothing else from this project.

Tables enforce, services decide: constraints reject data that must never be stored, and no class here changes a row.
"""

from models.api_key import ApiKey, KeyStatus, Scope, key_status
from models.audit import AuditEntry, AuditSeal
from models.base import CENT, MAX_AMOUNT, Base, id_before, new_id
from models.company import Company
from models.customer import Customer, CustomerStatus, PriceOverride
from models.event import RESERVED, RETENTION_DAYS, SUBSCRIBABLE, Event, EventType
from models.folding import searchable
from models.idempotency import StoredResponse
from models.inventory_movement import (
    COUNT_REASONS,
    DECREASING_REASONS,
    INCREASING_REASONS,
    MAX_STOCK,
    OPENING_SEQUENCE,
    SERVER_REASONS,
    InventoryMovement,
    MovementReason,
)
from models.order import NEXT_STATUSES, Order, OrderItem, OrderStatus
from models.order_return import (
    NEXT_RETURN_STATUSES,
    RECEIVED_STATUSES,
    Return,
    ReturnItem,
    ReturnReason,
    ReturnStatus,
)
from models.price_breaks import MAX_PRICE_BREAKS, PriceBreak, PriceBreaks
from models.product import Product
from models.product_import import ImportState, ProductImport, ProductImportRow
from models.refund import CreditNoteStatus, Refund, RefundMethod
from models.shipment import Shipment, ShipmentItem
from models.webhook import AttemptCount, Delivery, Webhook

__all__ = [
    "CENT",
    "COUNT_REASONS",
    "DECREASING_REASONS",
    "INCREASING_REASONS",
    "MAX_AMOUNT",
    "MAX_PRICE_BREAKS",
    "MAX_STOCK",
    "NEXT_RETURN_STATUSES",
    "NEXT_STATUSES",
    "OPENING_SEQUENCE",
    "RECEIVED_STATUSES",
    "RESERVED",
    "RETENTION_DAYS",
    "SERVER_REASONS",
    "SUBSCRIBABLE",
    "ApiKey",
    "AttemptCount",
    "AuditEntry",
    "AuditSeal",
    "Base",
    "Company",
    "CreditNoteStatus",
    "Customer",
    "CustomerStatus",
    "Delivery",
    "Event",
    "EventType",
    "ImportState",
    "InventoryMovement",
    "KeyStatus",
    "MovementReason",
    "Order",
    "OrderItem",
    "OrderStatus",
    "PriceBreak",
    "PriceBreaks",
    "PriceOverride",
    "Product",
    "ProductImport",
    "ProductImportRow",
    "Refund",
    "RefundMethod",
    "Return",
    "ReturnItem",
    "ReturnReason",
    "ReturnStatus",
    "Scope",
    "Shipment",
    "ShipmentItem",
    "StoredResponse",
    "Webhook",
    "id_before",
    "key_status",
    "new_id",
    "searchable",
]
