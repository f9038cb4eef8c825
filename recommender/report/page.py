"""Write a finished training as one HTML page that needs no network."""

from recommender.pages.template import render
from recommender.report.build import Report
from recommender.report.plots import plots


def page(report: Report) -> str:
    """Return the HTML; the same training gives the same bytes, except for the seconds it took."""
    values = {"report": report, "finished": report.finished, "metrics": report.finished.metrics}
    return render("report/page.html", plots=plots(report), **values)
