"""Render the summary as one HTML page that needs no network."""

from recommender.pages.template import render
from recommender.prepare.plots import plots
from recommender.prepare.summary import Summary


def page(summary: Summary) -> str:
    """Return the HTML of a summary; the same summary gives the same bytes."""
    return render("prepare/page.html", summary=summary, plots=plots(summary))
