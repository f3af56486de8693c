"""The figures of a comparison as a bar chart in SVG, for light and for dark pages.

Every scenario has its own scale: the longest bar is the server that takes the most CPU time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate

from benchmarks.apis import TITLES
from benchmarks.bench import OWN_NAME, Bench
from benchmarks.compare import Figures

WIDTH, LEFT, RIGHT = 860, 190, 90  # RIGHT has room for a value
TOP, BOTTOM = 78, 20
BAR, GAP = 18, 4
TITLE, BETWEEN = 24, 14  # above the bars of a scenario, and below them
FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of a page."""

    background: str
    text: str
    secondary: str
    own: str
    other: str


THEMES: Mapping[str, Theme] = {
    "light": Theme(background="#ffffff", text="#1f2328", secondary="#59636e", own="#1f6f8b", other="#c3cbd3"),
    "dark": Theme(background="#0d1117", text="#f0f6fc", secondary="#9198a1", own="#58b4d1", other="#3d444d"),
}


def svg(bench: Bench, theme: Theme) -> str:
    """Return the chart. The same figures always give the same text."""
    groups = [group for scenario in TITLES if (group := _group(bench, scenario))]
    heights = [TITLE + len(group) * (BAR + GAP) + BETWEEN for group in groups]
    height = TOP + sum(heights) + BOTTOM
    starts = accumulate(heights, initial=TOP)
    bars = [part for group, y in zip(groups, starts, strict=False) for part in _bars(group, y)]
    content = "\n".join([*_headings(bench), *bars])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img"><title>{escape(_title(bench))}</title><style>{_style(theme)}</style>'
        f'<rect class="page" width="100%" height="100%"/>\n{content}\n</svg>\n'
    )


def _group(bench: Bench, scenario: str) -> list[Figures]:
    """Return the figures of a scenario with a CPU time, the fastest server first."""
    found = [figures for figures in bench.figures if figures.scenario == scenario and figures.cpu_ms]
    return sorted(found, key=lambda figures: figures.cpu_ms or 0)


def _title(bench: Bench) -> str:
    return "CPU time of a request: " + ", ".join(bench.servers)


def _headings(bench: Bench) -> Iterator[str]:
    machine, load = bench.machine, bench.load
    yield _text(20, 34, "CPU time of one request, in milliseconds", "title")
    conditions = f"{machine.date}, commit {machine.commit}, one process on one core, {load.connections} connections"
    yield _text(20, 56, f"{conditions}, SQLite synchronous={bench.synchronous}", "small")


def _bars(group: Sequence[Figures], y: float) -> Iterator[str]:
    yield _text(20, y + TITLE - 8, TITLES[group[0].scenario], "scenario")
    longest = max(figures.cpu_ms or 0 for figures in group)
    for number, figures in enumerate(group):
        value = figures.cpu_ms or 0
        top = y + TITLE + number * (BAR + GAP)
        width = (WIDTH - LEFT - RIGHT) * value / longest
        kind = "own" if figures.server == OWN_NAME else "other"
        yield _text(LEFT - 10, top + BAR - 5, figures.server, f"end {kind}-name")
        yield f'<rect class="{kind}" x="{LEFT}" y="{top:.1f}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield _text(LEFT + width + 8, top + BAR - 5, f"{value:.2f}", f"{kind}-name")


def _text(x: float, y: float, content: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'


def _style(theme: Theme) -> str:
    return (
        f"text {{ font: 13px {FONT}; fill: {theme.secondary} }} .page {{ fill: {theme.background} }} "
        f".title {{ font-size: 18px; font-weight: 600; fill: {theme.text} }} .small {{ font-size: 12px }} "
        f".scenario {{ font-weight: 600; fill: {theme.text} }} .end {{ text-anchor: end }} "
        f".own-name {{ font-weight: 600; fill: {theme.text} }} .own {{ fill: {theme.own} }} "
        f".other {{ fill: {theme.other} }}"
    )
