"""How many deliveries a webhook may have in flight."""

from collections import Counter

from app.delivery import concurrency
from app.delivery.concurrency import ConcurrencyLimiter


def test_the_limit_grows_with_successes_and_falls_to_one_with_a_failure() -> None:
    limiter = ConcurrencyLimiter()
    assert limiter.allow(["w"], Counter()) == {"w": concurrency.INITIAL_LIMIT}
    for _ in range(100):
        limiter.record("w", success=True)
    assert limiter.allow(["w"], Counter()) == {"w": concurrency.MAX_LIMIT}
    limiter.record("w", success=False)
    assert limiter.allow(["w"], Counter()) == {"w": 1}


def test_deliveries_in_flight_count() -> None:
    assert ConcurrencyLimiter().allow(["w"], Counter(w=concurrency.INITIAL_LIMIT - 1)) == {"w": 1}
    assert ConcurrencyLimiter().allow(["w"], Counter(w=concurrency.INITIAL_LIMIT)) == {}


def test_a_crowded_worker_starts_one_of_each_webhook() -> None:
    busy = Counter(
        {f"slow{number}": concurrency.MAX_LIMIT for number in range(concurrency.CROWDED // concurrency.MAX_LIMIT)}
    )

    assert ConcurrencyLimiter().allow(["healthy", *busy], busy) == {"healthy": 1}


def test_the_total_in_flight_is_limited() -> None:
    assert ConcurrencyLimiter().allow(["w"], Counter(others=concurrency.MAX_IN_FLIGHT)) == {}
    many = [f"w{number}" for number in range(2000)]
    assert sum(ConcurrencyLimiter().allow(many, Counter()).values()) == concurrency.MAX_IN_FLIGHT
