"""A bar chart of daily revenue, as SVG or PNG. Not in this module: the sums (`app/reports/sales.py`)."""

import math
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from html import escape
from pathlib import Path

import click

from app.reports.ranges import last_day
from app.schemas.reports import SalesReport

FORMATS = (".svg", ".png")
WIDTH, HEIGHT = 1200, 520
LEFT, RIGHT, TOP, BOTTOM = 90, 24, 84, 44  # margins of the plot
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
SCALE = 2  # pixels of a PNG per unit of the SVG, for screens of high resolution
GRID_LINES = 5
DATE_LABELS, DATE_LABELS_WITH_YEAR = 14, 9  # at most, so that labels do not overlap
STEPS = (1, 2, 2.5, 3, 4, 5, 6, 8, 10)
MILLION = 1_000_000
NAME_LENGTH = 52  # letters that fit above the chart, even wide ones
GAP = 0.2  # between two bars, as a part of a day
MIN_BAR_WIDTH = 0.5  # still visible
STYLE = """
text { font-family: 'DejaVu Sans', 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 14px; fill: #444 }
.title { font-size: 22px; font-weight: bold; fill: #111 } .end { text-anchor: end } .middle { text-anchor: middle }
.grid { stroke: #ddd } .axis { stroke: #888 } .bar { fill: #1f6f8b }
"""


def save(file: Path, report: SalesReport, company: str) -> None:
    """Write the chart to a file. An existing file is replaced by a complete chart or not at all. Raises OSError."""
    content = svg(report, company).encode()
    if file.suffix.lower() == ".png":
        import resvg_py  # noqa: PLC0415 - only a PNG needs it

        content = bytes(resvg_py.svg_to_bytes(svg_string=content.decode(), width=WIDTH * SCALE))
    target = file.resolve()
    part = target.with_name(f"{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error


def check(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    """Reject a file name without a known format, before the report is computed."""
    if value is not None and value.suffix.lower() not in FORMATS:
        raise click.BadParameter("the name must end in .svg or .png.")
    return value


def svg(report: SalesReport, company: str) -> str:
    """Return a chart with a bar for every day of the range that has revenue."""
    days = {day.date: float(day.revenue) for day in report.daily}
    first, last = _first_and_last(report, days)
    top = _top(max(days.values(), default=0))
    parts = [*_headings(report, company), *_grid(top), *_dates(first, last), *_bars(days, first, last, top)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _first_and_last(report: SalesReport, days: Iterable[date]) -> tuple[date, date]:
    """Return the first and the last day of the chart: those of the range, or a later day that has orders."""
    start, end = report.range.start, report.range.end
    return start.date(), max([last_day(start, end), *days])


def _headings(report: SalesReport, company: str) -> Iterator[str]:
    totals, count = report.totals, report.totals.order_count
    orders = f"{count:,} {'order' if count == 1 else 'orders'}"
    revenue = f"total {totals.revenue:,.2f}, average {totals.average_order_value:,.2f}"
    yield _text(LEFT, 36, _shortened(company, NAME_LENGTH) + ": revenue by day", "title")
    yield _text(LEFT, 60, f"{report.range.label}: {orders}, {revenue}. Includes cancelled orders. Days in UTC.")
    if not count:
        yield _text(WIDTH / 2, TOP + INNER_HEIGHT / 2, "No orders", "middle")


def _shortened(content: str, length: int) -> str:
    return content if len(content) <= length else content[: length - 1] + "…"


def _grid(top: float) -> Iterator[str]:
    for number in range(GRID_LINES + 1):
        value = top * number / GRID_LINES
        y = _y(value, top)
        kind = "grid" if number else "axis"
        yield f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 10, y + 5, _scale(value, top), "end")


def _scale(value: float, top: float) -> str:
    """Return a label of the scale that ends with `top`, in millions if it would not fit."""
    return f"{value / MILLION:,.10g} M" if top >= 10 * MILLION else f"{value:,.10g}"


def _dates(first: date, last: date) -> Iterator[str]:
    count = (last - first).days + 1
    has_year = first.year != last.year
    step = max(1, math.ceil(count / (DATE_LABELS_WITH_YEAR if has_year else DATE_LABELS)))
    for offset in range(0, count, step):
        day = date.fromordinal(first.toordinal() + offset)
        x = LEFT + (offset + 0.5) * INNER_WIDTH / count
        yield _text(x, HEIGHT - BOTTOM + 24, f"{day.day} {day:%b}" + (f" {day.year}" if has_year else ""), "middle")


def _bars(days: Mapping[date, float], first: date, last: date, top: float) -> Iterator[str]:
    width = INNER_WIDTH / ((last - first).days + 1)
    for day, revenue in days.items():
        if revenue:
            x, y = LEFT + ((day - first).days + GAP / 2) * width, _y(revenue, top)
            size = f'width="{max(width * (1 - GAP), MIN_BAR_WIDTH):.2f}" height="{TOP + INNER_HEIGHT - y:.2f}"'
            yield f'<rect class="bar" x="{x:.2f}" y="{y:.2f}" {size}><title>{day}: {revenue:,.2f}</title></rect>'


def _y(value: float, top: float) -> float:
    return TOP + INNER_HEIGHT * (1 - value / top)


def _top(highest: float) -> float:
    """Return a round number not below the highest bar, so that the grid lines are at round numbers too."""
    if highest <= 0:
        return float(GRID_LINES)
    step = highest / GRID_LINES
    unit = 10 ** math.floor(math.log10(step))
    return float(GRID_LINES * next(unit * factor for factor in STEPS if unit * factor >= step))


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'
