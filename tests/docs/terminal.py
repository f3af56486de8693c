"""Commands and what they printed as a picture of a terminal in SVG, for light and for dark pages."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.picture import Theme
from tests.support.readme_story import TerminalStep

COLUMNS = 104
CHARACTER, LINE, MARGIN = 7.9, 19, 18  # pixels; fonts have a width of 0.55 to 0.6
FONT = "13px ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SECRET = re.compile(r"whsec_\S+")
# What differs from run to run.
CHANGES = re.compile(r"\bc[0-9a-z]{24}\b|\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+(/[0-9a-f]{32})?")


def svg(steps: Sequence[TerminalStep], theme: Theme) -> str:
    """Return the picture. Secrets are hidden."""
    lines = list(_lines(steps))
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    texts = "\n".join(
        f'<text class="{kind}" x="{MARGIN}" y="{MARGIN + (number + 0.75) * LINE:.0f}">{escape(line)}</text>'
        for number, (kind, line) in enumerate(lines)
        if line.strip()
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}"'
        f' height="{height}" role="img"><title>The story of the README in a terminal</title>'
        f'<style>{_style(theme)}</style><rect class="page" width="100%" height="100%" rx="8"/>\n{texts}\n</svg>\n'
    )


def without_changes(text: str) -> str:
    """Return a picture without what differs from run to run."""
    return CHANGES.sub("…", text)


def _lines(steps: Sequence[TerminalStep]) -> Iterator[tuple[str, str]]:
    """Yield the lines of the picture, each with its kind."""
    for step in steps:
        for number, line in enumerate(step.commands.splitlines()):
            yield from (("command", part) for part in _wrapped(("> " if number else "$ ") + line))
        for line in step.output.strip("\n").splitlines():
            yield from (("output", part) for part in _wrapped(SECRET.sub("whsec_" + "•" * 32, line)))
        yield "output", ""


def _wrapped(line: str) -> list[str]:
    """Break a long line between words."""
    return textwrap.wrap(line, COLUMNS, break_on_hyphens=False) or [""]


def _style(theme: Theme) -> str:
    return (
        f"text {{ font: {FONT}; white-space: pre; fill: {theme.text} }} .page {{ fill: {theme.background} }} "
        f".command {{ font-weight: 600; fill: {theme.own} }}"
    )
