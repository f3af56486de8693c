"""What each write of the document records, and the test of what happens when it runs at the same time as others.

The matrix of operations (`operation_matrix.py`) and the tests of all operations use this table.
"""

from collections.abc import Sequence
from typing import NamedTuple

OPERATION_TESTS = "tests/contract/test_operations.py::"
RACE = OPERATION_TESTS + "TestRaces::test_concurrent_requests_are_recorded_as_they_took_effect"
QUEUES = "queues deliveries, changes no data"
NO_KEY_EVENTS = "API keys have no events (section 8.1)"
NO_PRICE_EVENTS = "prices have no events (section 9.4)"
NO_WEBHOOK_EVENTS = "webhooks have no events (section 8.1)"
RACES = "tests/failures/"


class Change(NamedTuple):
    """What a write records, in the request of `tests/support/requests.py`, and the test of concurrent requests.

    A text instead of a list of actions or events is the reason why there are none.
    """

    audit: Sequence[str] | str
    events: Sequence[str] | str
    race: str


CHANGES = {
    "createApiKey": Change(
        ["api_key.created"],
        NO_KEY_EVENTS,
        f"{RACES}test_key_races.py::test_concurrent_creations_do_not_exceed_the_limit",
    ),
    "createCustomer": Change(
        ["customer.created"],
        ["customer.created"],
        "tests/http/test_customers.py::TestCreateCustomer::test_one_of_many_concurrent_requests_gets_an_email",
    ),
    "createInventoryAdjustment": Change(
        ["inventory.adjusted"],
        ["product.updated"],
        f"{RACES}test_races.py::TestAdjustments::test_deltas_orders_and_counts_add_up",
    ),
    "createInventoryAdjustments": Change(
        ["inventory.adjusted"],
        ["product.updated"],
        f"{RACES}test_bulk_races.py::test_adjustments_during_orders_are_exact",
    ),
    "createOrder": Change(
        ["order.placed"],
        ["order.created"],
        f"{RACES}test_races.py::TestStock::test_a_thousand_concurrent_orders_for_a_hundred_pieces",
    ),
    "createProduct": Change(
        ["product.created"],
        ["product.created"],
        f"{RACES}test_product_races.py::test_one_of_many_concurrent_creations_wins",
    ),
    "createReturn": Change(
        ["return.created"],
        ["return.created"],
        f"{RACES}test_return_races.py::test_one_of_many_concurrent_returns_gets_the_last_unit",
    ),
    "createShipment": Change(
        ["order.shipped"],
        "only the first shipment of an order has events (section 9.7)",
        f"{RACES}test_shipment_races.py::test_one_of_many_concurrent_shipments_gets_the_last_unit",
    ),
    "createWebhook": Change(
        ["webhook.created"],
        NO_WEBHOOK_EVENTS,
        "tests/http/test_webhooks.py::TestCreate::test_an_eleventh_webhook_is_refused",
    ),
    "deleteCustomerPrice": Change(
        ["price.removed"],
        NO_PRICE_EVENTS,
        f"{RACES}test_price_races.py::test_either_the_price_or_its_removal_comes_first",
    ),
    "deleteProduct": Change(
        ["price.removed", "product.deleted"],
        ["product.deleted"],
        f"{RACES}test_product_races.py::test_either_the_order_or_the_deletion_of_a_product_wins",
    ),
    "deleteWebhook": Change(
        ["webhook.deleted"],
        NO_WEBHOOK_EVENTS,
        f"{RACES}test_webhook_races.py::test_either_the_update_or_the_deletion_of_a_webhook_comes_first",
    ),
    "receiveReturn": Change(
        ["return.received"],
        ["return.received"],
        f"{RACES}test_return_races.py::test_either_the_receipt_or_the_rejection_wins",
    ),
    "recoverWebhook": Change(
        QUEUES, QUEUES, f"{RACES}test_webhook_races.py::test_concurrent_recoveries_queue_a_missed_event_once"
    ),
    "redeliverWebhookDelivery": Change(
        QUEUES, QUEUES, f"{RACES}test_webhook_races.py::test_each_of_concurrent_redeliveries_queues_one_delivery"
    ),
    "refundReturn": Change(
        ["credit_note.issued", "refund.processed"],
        ["credit_note.issued", "refund.processed"],
        f"{RACES}test_refund_races.py::test_one_of_several_concurrent_refunds_of_a_return_wins",
    ),
    "revokeApiKey": Change(["api_key.revoked"], NO_KEY_EVENTS, RACE),
    "rotateApiKey": Change(
        ["api_key.rotated"],
        NO_KEY_EVENTS,
        f"{RACES}test_key_races.py::test_concurrent_rotations_replace_a_key_each",
    ),
    "rotateWebhookSecret": Change(
        ["webhook.secret_rotated"],
        NO_WEBHOOK_EVENTS,
        "tests/http/test_webhooks.py::TestRotate::test_concurrent_rotations_lose_no_secret",
    ),
    "testWebhook": Change(
        QUEUES,
        ["webhook.test"],
        f"{RACES}test_webhook_races.py::test_concurrent_test_events_have_consecutive_sequences",
    ),
    "updateCustomer": Change(
        ["customer.updated"],
        ["customer.updated"],
        "tests/http/test_customers_external_ids.py::TestCustomers::test_one_of_many_concurrent_updates_gets_a_value",
    ),
    "updateOrderStatus": Change(
        ["order.status_changed"],
        ["order.status_changed"],
        f"{RACES}test_races.py::TestStatus::test_one_of_two_concurrent_changes_wins",
    ),
    "updateProduct": Change(
        ["product.updated"],
        ["product.updated"],
        f"{RACES}test_product_races.py::test_concurrent_updates_of_different_members_are_all_kept",
    ),
    "updateReturn": Change(
        ["return.rejected"],
        ["return.rejected"],
        f"{RACES}test_return_races.py::test_either_the_receipt_or_the_rejection_wins",
    ),
    "updateShipment": Change(
        ["order.shipment_updated"],
        "changes of a shipment have no event (section 9.7)",
        f"{RACES}test_shipment_races.py::test_concurrent_updates_of_different_members_are_all_kept",
    ),
    "updateWebhook": Change(
        ["webhook.updated"],
        NO_WEBHOOK_EVENTS,
        f"{RACES}test_webhook_races.py::test_concurrent_updates_of_different_members_are_all_kept",
    ),
    "upsertCustomerPrice": Change(
        ["price.set"],
        NO_PRICE_EVENTS,
        f"{RACES}test_price_races.py::test_one_of_many_concurrent_requests_creates_a_price",
    ),
    "upsertPrices": Change(
        ["price.set"],
        NO_PRICE_EVENTS,
        f"{RACES}test_price_races.py::test_bulk_requests_with_the_same_prices_in_opposite_orders",
    ),
    "upsertProduct": Change(
        ["product.created"],
        ["product.created"],
        f"{RACES}test_product_races.py::test_one_of_many_concurrent_upserts_creates",
    ),
    "upsertProducts": Change(
        ["product.updated"],
        ["product.updated"],
        f"{RACES}test_bulk_races.py::test_products_that_several_requests_create_exist_once",
    ),
    "voidCreditNote": Change(
        ["credit_note.voided"],
        ["credit_note.voided"],
        f"{RACES}test_refund_races.py::test_either_the_void_or_another_refund_of_the_order_comes_first",
    ),
}
