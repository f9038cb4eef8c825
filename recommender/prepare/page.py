"""The summary as a page that needs nothing else, for a browser."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from recommender.prepare.plots import plots
from recommender.prepare.summary import Summary


def page(summary: Summary) -> str:
    """HTML; the same summary gives the same bytes. What comes from the data is escaped."""
    template = files("recommender.prepare").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(summary=summary, figures=plots(summary))
