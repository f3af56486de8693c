"""Every check, in the order in which they run."""

from app.verification import (
    audit_chain,
    credit_note_numbers,
    event_sequences,
    item_quantities,
    movements,
    order_amounts,
    order_movements,
    order_statuses,
    refunds,
    return_movements,
    returns,
    stock,
)
from app.verification.check import AnyCheck

CHECKS: tuple[AnyCheck, ...] = (
    stock.CHECK,
    movements.CHAIN,
    movements.DELETED_PRODUCTS,
    order_movements.REASONS,
    order_movements.QUANTITIES,
    order_movements.REFERENCES,
    order_amounts.CHECK,
    order_statuses.CHECK,
    item_quantities.SHIPPED,
    item_quantities.RETURNED,
    return_movements.CHECK,
    refunds.AMOUNTS_OF_REFUNDS,
    refunds.ORDER_TOTALS,
    refunds.RETURN_TOTALS,
    returns.STATUS,
    returns.QUANTITIES,
    credit_note_numbers.CHECK,
    event_sequences.GAPS,
    event_sequences.LAST_EVENTS,
    audit_chain.CHECK,
)
