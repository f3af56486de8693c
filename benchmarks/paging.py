"""Products: a page costs the same at any depth (contract, section 3); a page of fifty; one product; search."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from rich.progress import Progress
from sqlalchemy import func

from app.queries import tenant
from app.services.products import TABLE
from benchmarks import catalogue, measure, plans, stores
from benchmarks.measure import Case
from benchmarks.report import RequestsResult, Workload
from benchmarks.stores import Deployment

PAGE = 100
POSITIONS = (10_000, 500_000, 1_000_000)
LISTINGS = {"all": None, "common category": catalogue.COMMON, "rare category": catalogue.RARE}
SEARCHES = {"one product": "sku-00000987", "one of 1,000": "curiosities", "most": "hexagon"}
SINGLES = 200  # different products that are requested one by one


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a list: the number of products before it, and its query."""

    listing: str
    position: int
    query: dict[str, Any]

    @property
    def name(self) -> str:
        """Return its name in the tables."""
        return _name(self.listing, self.position)

    @property
    def path(self) -> str:
        """Return path and query."""
        return "/products?" + urlencode(self.query)

    @property
    def case(self) -> Case:
        """Return the case to measure: compared with the first page of the same list."""
        return Case(name=self.name, paths=[self.path], baseline=_name(self.listing, 0) if self.position else None)


def run(deployment: Deployment, workload: Workload, progress: Progress) -> RequestsResult:
    """Fill the company of the deployment and measure."""
    task = progress.add_task(f"{deployment.name}: filling", total=catalogue.total(workload.rows))
    catalogue.fill(
        deployment.database, deployment.tenant.company_id, workload.rows, lambda count: progress.advance(task, count)
    )
    stores.settle(deployment.database)
    pages = list(_pages(deployment))
    return RequestsResult(
        title=f"{deployment.name}: one company with {catalogue.total(workload.rows):,} products, pages of {PAGE}",
        measurements=_measurements(deployment, pages, workload, progress),
        plans={
            page.name: plans.of_page(deployment.database, deployment.tenant.company_id, **page.query) for page in pages
        },
        resident_mib=measure.resident_mib(deployment.target.server_pid),
    )


def _measurements(
    deployment: Deployment, pages: list[Page], workload: Workload, progress: Progress
) -> list[measure.Measurement]:
    cases = [*(page.case for page in pages), *_others(deployment)]
    task = progress.add_task(f"{deployment.name}: measuring", total=(workload.rounds + 1) * len(cases))
    return measure.measure(
        deployment.target,
        cases,
        rounds=workload.rounds,
        requests=workload.requests,
        tick=lambda: progress.advance(task),
    )


def _others(deployment: Deployment) -> Iterator[Case]:
    """Yield the requests without a position: the ones that clients send most."""
    yield Case(name="list 50", paths=["/products?limit=50"])
    for name, text in SEARCHES.items():
        yield Case(name=f"search, found in {name}", paths=[f"/products?limit={PAGE}&search={text}"])
    yield Case(name="get one", paths=[f"/products/{product_id}" for product_id in _ids(deployment, None, 0, SINGLES)])


def _pages(deployment: Deployment) -> Iterator[Page]:
    """Yield the first page of each list, and those at POSITIONS or, if the list is shorter, its last page.

    A list without a second page is left out.
    """
    for listing, category in LISTINGS.items():
        last = _length(deployment, category) - PAGE
        positions = {0, *(min(position, last) for position in POSITIONS)} if last >= PAGE else set()
        for position in sorted(positions):
            yield _page(deployment, listing, category, position)


def _page(deployment: Deployment, listing: str, category: str | None, position: int) -> Page:
    """Return a page that the server returns completely. Its cursor comes from the database, not from earlier pages."""
    query = {"limit": PAGE} | ({"category": category} if category else {})
    first, *others = _ids(deployment, category, max(position - 1, 0), 2)
    if position:
        query["cursor"], first = first, others[0]
    page = Page(listing=listing, position=position, query=query)
    _check(deployment, page, first)
    return page


def _check(deployment: Deployment, page: Page, first_id: str) -> None:
    """Raise RuntimeError unless the response is a full page that begins with `first_id`."""
    connection = http.client.HTTPConnection("127.0.0.1", deployment.target.port, timeout=60)
    data = json.loads(measure.get(connection, page.path, deployment.target.key))["data"]
    connection.close()
    if len(data) != PAGE or data[0]["id"] != first_id:
        raise RuntimeError(f"GET {page.path} returned {len(data)} products, which are not the page at {page.position}.")


def _length(deployment: Deployment, category: str | None) -> int:
    query = tenant.select(TABLE.c.id)
    if category:
        query = query.where(TABLE.c.category == category)
    with deployment.database.transaction() as session:
        counted = query.with_only_columns(func.count())
        return int(session.execute(counted, {tenant.COMPANY_PARAMETER: deployment.tenant.company_id}).scalar_one())


def _ids(deployment: Deployment, category: str | None, position: int, count: int) -> list[str]:
    query = (
        tenant.select(TABLE.c.id).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc()).offset(position).limit(count)
    )
    if category:
        query = query.where(TABLE.c.category == category)
    with deployment.database.transaction() as session:
        return list(session.execute(query, {tenant.COMPANY_PARAMETER: deployment.tenant.company_id}).scalars())


def _name(listing: str, position: int) -> str:
    return f"{listing}, position {position:,}" if position else f"{listing}, first page"
