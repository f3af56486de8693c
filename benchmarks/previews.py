"""Previews: placing orders alone, alongside previews in a loop, and alongside a list in a loop.

A preview takes no lock that an order waits for. It costs CPU time like every read, so the list is what it is compared
with.
"""

from rich.progress import Progress

from benchmarks import measure, orders
from benchmarks.report import Check, RequestsResult, Workload
from benchmarks.stores import Deployment

MAX_RATIO = 1.2  # p99 of an order alongside previews, to alongside a list that costs as much CPU time
TURNS, ORDERS = 10, 100  # the three cases in turn: a disturbance of the machine affects all


def run(deployment: Deployment, workload: Workload, progress: Progress) -> RequestsResult:
    """Place orders alone, alongside previews and alongside a list, and compare the 99th percentiles."""
    del workload  # the number of rows plays no part
    body = orders.order_body(deployment)
    task = progress.add_task(f"{deployment.name}: orders and previews", total=TURNS)
    orders.place(deployment.target, body, ORDERS)  # warms up
    alone: list[float] = []
    alongside_list: list[float] = []
    alongside_previews: list[float] = []
    for _ in range(TURNS):
        alone += orders.place(deployment.target, body, ORDERS)
        with orders.running_in_a_loop(deployment.target, "/customers"):
            alongside_list += orders.place(deployment.target, body, ORDERS)
        with orders.running_in_a_loop(deployment.target, "/order-previews", body):
            alongside_previews += orders.place(deployment.target, body, ORDERS)
        progress.advance(task)
    baseline = orders.p99(alongside_list)
    checks = [
        Check(name="p99 of POST /orders", value=orders.p99(alone), allowed=None, unit="ms"),
        Check(name="p99 of POST /orders alongside GET /customers", value=baseline, allowed=None, unit="ms"),
        Check(
            name="p99 of POST /orders alongside previews",
            value=orders.p99(alongside_previews),
            allowed=MAX_RATIO * baseline,
            unit="ms",
        ),
    ]
    return RequestsResult(
        title=f"{deployment.name}: {TURNS * ORDERS:,} orders for each case",
        measurements=[],
        plans={},
        resident_mib=measure.resident_mib(deployment.target.server_pid),
        checks=checks,
    )
