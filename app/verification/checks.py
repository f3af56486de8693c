"""Every check, in the order in which they run."""

from app.verification import audit_chain, event_sequences, movements, order_amounts, order_movements, stock
from app.verification.check import AnyCheck

CHECKS: tuple[AnyCheck, ...] = (
    stock.CHECK,
    movements.CHAIN,
    movements.DELETED_PRODUCTS,
    order_movements.REASONS,
    order_movements.QUANTITIES,
    order_movements.REFERENCES,
    order_amounts.CHECK,
    event_sequences.GAPS,
    event_sequences.LAST_EVENTS,
    audit_chain.CHECK,
)
