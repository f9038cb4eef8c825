"""A finished training as a page that needs nothing else, for a browser."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from recommender.evaluation.evaluate import CUTS
from recommender.report.build import Report
from recommender.report.plots import plots


def page(report: Report) -> str:
    """HTML; the same training gives the same bytes, but for what it took. What comes from the data is escaped."""
    template = files("recommender.report").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"whole": "{:,}".format, "share": "{:.2%}".format, "places": _places}
    values = {"report": report, "finished": report.finished, "metrics": report.finished.metrics, "cuts": CUTS}
    return environment.from_string(template).render(figures=plots(report), **values)


def _places(value: float, places: int = 3) -> str:
    return f"{value:.{places}f}"
