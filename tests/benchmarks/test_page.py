"""docs/performance.md and its pictures say what the documents in docs/performance/ contain."""

import dataclasses
import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks import page, picture
from benchmarks.bench import Bench
from benchmarks.page import Results

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results() -> Results:
    return Results.read()


def test_the_page_is_up_to_date(results: Results) -> None:
    text = page.PAGE.read_text()

    assert page.update(text, results) == text, "run: make bench-page"


def test_the_figures_of_the_readme_are_up_to_date(results: Results) -> None:
    text = page.README.read_text()

    assert text.count("| CPU time") == len(page.README_SCENARIOS)
    assert page.update_readme(text, results.latest) == text, "run: make bench-page"


def test_the_pictures_are_up_to_date(results: Results) -> None:
    pictures = page.pictures(results)

    assert {file: file.read_text() for file in pictures} == pictures, "run: make bench-page"


def test_a_document_is_read_as_it_was_written(results: Results) -> None:
    assert Bench.from_json(results.latest.to_json()) == results.latest


@pytest.mark.parametrize("theme", picture.THEMES.values(), ids=list(picture.THEMES))
def test_a_picture_has_a_bar_and_a_value_for_each_figure(results: Results, theme: picture.Theme) -> None:
    root = ET.fromstring(picture.svg(results.latest, theme))
    figures = [figures for figures in results.latest.figures if figures.cpu_ms]

    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {f"{figures.cpu_ms:.2f}" for figures in figures} <= set(texts)
    assert len(list(root.iter(f"{SVG}rect"))) == len(figures) + 1
    assert theme.background in "".join(style.text or "" for style in root.iter(f"{SVG}style"))


def test_names_are_escaped(results: Results) -> None:
    latest = results.latest
    memory = [dataclasses.replace(memory, server="<&>") for memory in latest.memory]
    figures = [dataclasses.replace(figures, server="<&>") for figures in latest.figures]

    root = ET.fromstring(
        picture.svg(dataclasses.replace(latest, memory=memory, figures=figures), picture.THEMES["dark"])
    )

    assert "<&>" in [text.text for text in root.iter(f"{SVG}text")]


def test_a_longer_bar_takes_more_time(results: Results) -> None:
    svg = picture.svg(results.latest, picture.THEMES["light"])
    widths = [float(width) for width in re.findall(r'class="(?:own|other)" .*? width="([\d.]+)"', svg)]

    assert max(widths) == picture.WIDTH - picture.LEFT - picture.RIGHT
    assert min(widths) > 0


def test_a_ratio_compares_the_cpu_times(results: Results) -> None:
    own, other = (results.latest.figure(server, "get") for server in results.latest.servers[:2])

    assert own is not None
    assert other is not None
    assert own.cpu_ms is not None
    assert other.cpu_ms is not None
    assert results.latest.ratio(other.server, "get") == own.cpu_ms / other.cpu_ms


@pytest.mark.parametrize(("processor", "is_named"), [("A", False), ("B", True)])
def test_times_of_different_processors_are_not_compared(results: Results, processor: str, *, is_named: bool) -> None:
    machine = results.latest.machine
    before = dataclasses.replace(results.before, machine=dataclasses.replace(machine, processor="A"))
    latest = dataclasses.replace(results.latest, machine=dataclasses.replace(machine, processor=processor))

    text = page.update(page.PAGE.read_text(), dataclasses.replace(results, before=before, latest=latest))

    assert ("Measured on different processors, A and B" in text) == is_named
