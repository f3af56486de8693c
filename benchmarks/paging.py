"""Products: a page costs the same wherever it stands in the list (contract, section 3); one product; fifty of them."""

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
from benchmarks.report import Result, Workload
from benchmarks.stores import Site

PAGE = 100
POSITIONS = (10_000, 500_000, 1_000_000)
LISTINGS = {"all": None, "common category": catalogue.COMMON, "rare category": catalogue.RARE}
SEARCHES = {"one product": "sku-00000987", "one of 1,000": "curiosities", "most": "hexagon"}
SINGLES = 200  # different products that are asked for one by one


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a list: how many products stand before it, and the query that asks for it."""

    listing: str
    position: int
    query: dict[str, Any]

    @property
    def name(self) -> str:
        """Return what the tables call it."""
        return _name(self.listing, self.position)

    @property
    def path(self) -> str:
        """Return path and query."""
        return "/products?" + urlencode(self.query)

    @property
    def case(self) -> Case:
        """Return how to measure it: against the first page of the same list."""
        return Case(name=self.name, paths=[self.path], baseline=_name(self.listing, 0) if self.position else None)


def run(site: Site, workload: Workload, progress: Progress) -> Result:
    """Fill the site's company and measure."""
    task = progress.add_task(f"{site.name}: filling", total=catalogue.total(workload.rows))
    catalogue.fill(site.database, site.tenant.company_id, workload.rows, lambda count: progress.advance(task, count))
    stores.settle(site.database)
    pages = list(_pages(site))
    return Result(
        title=f"{site.name}: one company with {catalogue.total(workload.rows):,} products, pages of {PAGE}",
        figures=_figures(site, pages, workload, progress),
        plans={page.name: plans.of_page(site.database, site.tenant.company_id, **page.query) for page in pages},
        resident_mib=measure.resident_mib(site.target.server_pid),
    )


def _figures(site: Site, pages: list[Page], workload: Workload, progress: Progress) -> list[measure.Figures]:
    cases = [*(page.case for page in pages), *_others(site)]
    task = progress.add_task(f"{site.name}: measuring", total=(workload.rounds + 1) * len(cases))
    return measure.measure(
        site.target,
        cases,
        rounds=workload.rounds,
        requests=workload.requests,
        tick=lambda: progress.advance(task),
    )


def _others(site: Site) -> Iterator[Case]:
    """Yield what has no position: the answers that callers ask for most."""
    yield Case(name="list 50", paths=["/products?limit=50"])
    for name, text in SEARCHES.items():
        yield Case(name=f"search, found in {name}", paths=[f"/products?limit={PAGE}&search={text}"])
    yield Case(name="get one", paths=[f"/products/{each}" for each in _ids(site, None, 0, SINGLES)])


def _pages(site: Site) -> Iterator[Page]:
    """Yield the first page of each list and those at POSITIONS or, where a list is shorter, its last one.

    A list without a second page is left out.
    """
    for listing, category in LISTINGS.items():
        last = _length(site, category) - PAGE
        positions = {0, *(min(each, last) for each in POSITIONS)} if last >= PAGE else set()
        for position in sorted(positions):
            yield _page(site, listing, category, position)


def _page(site: Site, listing: str, category: str | None, position: int) -> Page:
    """Return a page that the server was seen to answer whole. The cursor comes from the database, not from walking."""
    query = {"limit": PAGE} | ({"category": category} if category else {})
    first, *others = _ids(site, category, max(position - 1, 0), 2)
    if position:
        query["cursor"], first = first, others[0]
    page = Page(listing=listing, position=position, query=query)
    _check(site, page, first)
    return page


def _check(site: Site, page: Page, first_id: str) -> None:
    """Raise RuntimeError unless the answer is a whole page that begins with `first_id`."""
    connection = http.client.HTTPConnection("127.0.0.1", site.target.port, timeout=60)
    data = json.loads(measure.answer(connection, page.path, site.target.key))["data"]
    connection.close()
    if len(data) != PAGE or data[0]["id"] != first_id:
        raise RuntimeError(f"GET {page.path} answered {len(data)} products that are not the page at {page.position}.")


def _length(site: Site, category: str | None) -> int:
    query = tenant.select(TABLE.c.id)
    if category:
        query = query.where(TABLE.c.category == category)
    with site.database.transaction() as session:
        counted = query.with_only_columns(func.count())
        return int(session.execute(counted, {tenant.COMPANY_PARAMETER: site.tenant.company_id}).scalar_one())


def _ids(site: Site, category: str | None, position: int, count: int) -> list[str]:
    query = (
        tenant.select(TABLE.c.id).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc()).offset(position).limit(count)
    )
    if category:
        query = query.where(TABLE.c.category == category)
    with site.database.transaction() as session:
        return list(session.execute(query, {tenant.COMPANY_PARAMETER: site.tenant.company_id}).scalars())


def _name(listing: str, position: int) -> str:
    return f"{listing}, position {position:,}" if position else f"{listing}, first page"
