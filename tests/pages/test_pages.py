"""Both pages have one style and fit a phone."""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from support.job import Job
from support.pages import CHROMIUM, LONG, SUMMARY, Page, measure, pixels, smallest_text

from recommender.cli.report import finished
from recommender.pages.plots import VARIABLES, svg
from recommender.prepare.page import page as prepare_page
from recommender.report.build import Report, build
from recommender.report.page import page as report_page
from recommender.report.stages import Stages

PHONE, DESKTOP = 390, 1280
MIN_TEXT = 11  # CSS pixels
STYLE = files("recommender").joinpath("pages/style.css").read_text(encoding="utf-8")
JOINED = re.compile(r"[.;:,](?=[^\W\d])|(?<!\d)[.;:,]\d")  # two sentences or words without a space


@pytest.fixture(scope="module")
def report(trained: Job) -> Report:
    return build(finished(trained.container), every_size=False)


@pytest.fixture(scope="module")
def pages(report: Report) -> list[Page]:
    return [Page(report_page(report)), Page(prepare_page(SUMMARY))]


def as_it_is(report: Report) -> Report:
    return report


def some_untitled(report: Report) -> Report:
    return replace(report, summary=replace(report.summary, untitled=17))


def all_untitled(report: Report) -> Report:
    return replace(report, summary=replace(report.summary, untitled=report.summary.parts[0].items))


def no_dates(report: Report) -> Report:
    parts = [replace(part, span=None) for part in report.summary.parts]
    return replace(report, summary=replace(report.summary, parts=parts))


def some_unknown(report: Report) -> Report:
    assert isinstance(report.stages, Stages)
    return replace(report, stages=replace(report.stages, drawn=50, unknown=3))


def no_test(report: Report) -> Report:
    missing = "There is no test channel."
    return replace(report, finished=replace(report.finished, rows=None), stages=missing, activity=missing)


def test_both_pages_have_one_stylesheet(pages: list[Page]) -> None:
    for page in pages:
        assert page.style.strip() == STYLE.strip()


def test_both_pages_have_a_dark_scheme_that_changes_every_colour_of_the_plots(pages: list[Page]) -> None:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")
    for name in VARIABLES.values():
        assert f"--{name}:" in light
        assert f"--{name}:" in dark
    for page in pages:
        assert '<meta name="color-scheme" content="light dark">' in page.text
        used = {name for plot in page.plots for name in re.findall(r"var\(--([\w-]+)", plot)}
        assert used == {*VARIABLES.values()}


@pytest.mark.parametrize("change", [as_it_is, some_untitled, all_untitled, no_dates, some_unknown, no_test])
def test_a_space_separates_the_sentences_of_the_report(report: Report, change: Callable[[Report], Report]) -> None:
    prose = Page(report_page(change(report))).prose
    assert len(prose) > 8
    assert [text for text in prose if JOINED.search(text)] == []


@pytest.mark.parametrize("cold", [0, 5])
def test_a_space_separates_the_sentences_of_the_prepare_page(cold: int) -> None:
    prose = Page(prepare_page(replace(SUMMARY, cold=cold))).prose
    assert len(prose) > 4
    assert [text for text in prose if JOINED.search(text)] == []


@pytest.mark.parametrize("text", ["they took.17 of 1,493 items", "no title.The next", "one;two"])
def test_sentences_without_a_space_are_found(text: str) -> None:
    assert JOINED.search(text)


def test_the_text_of_a_plot_is_never_too_small_to_read(pages: list[Page]) -> None:
    narrowest = pixels("min-width", "svg", STYLE)
    for plot in (plot for page in pages for plot in page.plots):
        assert smallest_text(plot) * narrowest >= MIN_TEXT


def test_wide_content_scrolls_in_its_own_box(pages: list[Page]) -> None:
    for page in pages:
        assert page.loose_tables == 0
        assert page.text.count("<svg") == page.text.count('<figure class="card"><svg')
    for rule in ("figure { overflow-x: auto", ".wide { overflow-x: auto", "overflow-wrap: anywhere"):
        assert rule in STYLE


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_on_a_phone_the_pages_fit_and_the_plots_keep_their_size(pages: list[Page], width: int, tmp_path: Path) -> None:
    for number, page in enumerate(pages):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = measure(page.text, width, folder)
        assert found["width"] == width
        assert found["scroll"] <= width
        assert found["texts"] > 20
        assert found["text"] >= MIN_TEXT


def test_the_same_values_give_the_same_bytes_and_are_escaped() -> None:
    hostile = replace(SUMMARY, settings={**SUMMARY.settings, "split_time": "<script>alert(1)</script>"})
    assert prepare_page(hostile) == prepare_page(hostile)
    assert "<script" not in prepare_page(hostile)
    assert LONG in prepare_page(hostile)


def test_a_plot_in_a_file_has_its_own_colours_and_background() -> None:
    def draw(figure: Figure) -> None:
        figure.add_subplot().plot([1, 2], color="#1f3a5f")

    drawn = svg(draw, (2, 1), "white")
    assert drawn.startswith("<svg")
    assert "var(" not in drawn
    assert "fill: #ffffff" in drawn
