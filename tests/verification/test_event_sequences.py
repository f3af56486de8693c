"""The events of every entity are numbered without gaps."""

from datetime import timedelta

import pytest

from app.context import now
from app.verification.event_sequences import KEPT
from tests.support import factories
from tests.support.verified_shop import EVENTS, MINUTE, ORDERS, PRODUCTS, VerifiedShop, first

NOW, DAY = timedelta(0), timedelta(days=1)


def test_numbered_events_are_clean(shop: VerifiedShop) -> None:
    shop.publish(shop.first, [NOW, NOW, NOW])
    shop.publish(shop.second, [NOW])

    assert shop.verify() == {}


def test_a_gap_is_a_problem(shop: VerifiedShop) -> None:
    _, second, _, fourth, fifth = shop.publish(shop.first, [NOW] * 5)
    shop.delete(EVENTS, second)
    shop.update(EVENTS, fifth, sequence=6)
    shop.update(ORDERS, shop.first, event_sequence=6)

    result = shop.verify()

    assert shop.problems() == {"eventGaps": "its sequence is 3, that of the event before it is 1."}
    assert (result["eventGaps"].checked, result["eventGaps"].bad) == (4, 2)
    assert first(result["eventGaps"])[2] == f"of {shop.first}"
    assert fourth != first(result["eventGaps"])[1] != fifth


def test_a_missing_last_event_is_a_problem(shop: VerifiedShop) -> None:
    events = shop.publish(shop.first, [NOW] * 3)
    shop.delete(EVENTS, events[-1])

    assert shop.problems() == {"eventSequences": "event_sequence is 3, the sequence of its last event is 2."}
    assert first(shop.verify()["eventSequences"]) == (shop.tenant.slug, shop.first, None)


def test_an_event_after_the_last_one_is_a_problem(shop: VerifiedShop) -> None:
    shop.publish(shop.first, [NOW] * 3)
    shop.update(ORDERS, shop.first, event_sequence=2)

    assert shop.problems() == {"eventSequences": "event_sequence is 2, the sequence of its last event is 3."}


def test_missing_events_of_a_new_entity_are_a_problem(shop: VerifiedShop) -> None:
    events = shop.publish(shop.first, [NOW] * 3)

    shop.delete(EVENTS, events[0])
    assert shop.problems() == {"eventSequences": "the sequence of its first event is 2 and not 1."}

    shop.delete(EVENTS, *events)
    assert shop.problems() == {"eventSequences": "event_sequence is 3, but it has no events."}


def test_expired_events_may_be_missing(shop: VerifiedShop) -> None:
    old = now() - KEPT - MINUTE
    shop.update(ORDERS, shop.first, created_at=old)
    events = shop.publish(shop.first, [31 * DAY, 31 * DAY, NOW])

    shop.delete(EVENTS, *events[:2])
    assert shop.verify() == {}

    shop.delete(EVENTS, *events)
    assert shop.verify() == {}


@pytest.mark.parametrize("missing", [1, 2])
def test_events_may_expire_in_another_order_within_a_day(shop: VerifiedShop, missing: int) -> None:
    shop.update(ORDERS, shop.first, created_at=now() - 40 * DAY)
    events = shop.publish(shop.first, [KEPT + MINUTE] * 3)
    shop.delete(EVENTS, events[missing])

    assert shop.verify() == {}


@pytest.mark.parametrize(("missing", "check"), [(1, "eventGaps"), (2, "eventSequences")])
def test_events_that_cannot_be_expired_must_not_be_missing(shop: VerifiedShop, missing: int, check: str) -> None:
    shop.update(ORDERS, shop.first, created_at=now() - 40 * DAY)
    events = shop.publish(shop.first, [KEPT - MINUTE] * 3)
    shop.delete(EVENTS, events[missing])

    assert list(shop.verify()) == [check]


@pytest.mark.parametrize(("age", "checks"), [(KEPT - MINUTE, ["eventSequences"]), (KEPT + MINUTE, [])])
def test_the_first_event_may_be_missing_once_it_may_be_expired(
    shop: VerifiedShop, age: timedelta, checks: list[str]
) -> None:
    shop.update(ORDERS, shop.first, created_at=now() - age)
    events = shop.publish(shop.first, [age, NOW])
    shop.delete(EVENTS, events[0])

    assert list(shop.verify()) == checks


def test_the_events_of_a_deleted_product_are_numbered_too(shop: VerifiedShop) -> None:
    product_id = factories.product(shop.database, shop.tenant.company_id)
    events = shop.publish(product_id, [NOW] * 3)
    shop.delete(PRODUCTS, product_id)
    assert shop.verify() == {}

    shop.delete(EVENTS, events[1])
    assert list(shop.verify()) == ["eventGaps"]
