"""Convert matplotlib's drawings into SVG, all in one style, and draw the plots of both pages."""

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

INK, ACCENT, FAINT, FAINT_TEXT = "#1f3a5f", "#d9843b", "#9aa5b1", "#7b8794"
COLOURS = {"train": INK, "validation": FAINT, "test": ACCENT}
# The stylesheet gives these colours other values in dark mode: --ink, --accent, ...
VARIABLES = {INK: "ink", ACCENT: "accent", FAINT: "faint", FAINT_TEXT: "faint-text", "#000000": "axis"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "recommender",  # the same data give the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
SIZE = (4.0, 2.5)  # size of a plot on a page, narrow enough for a phone; see pages/style.css
MAX_LETTERS = 40  # maximum letters of labels in one row, with spaces; longer rows are rotated
MAX_POINTS = 500  # points of a curve; more would be invisible and make the page larger


def svg(draw: Callable[[Figure], None], size: tuple[float, float], background: str | None) -> str:
    """Return a drawing as one `<svg>` element; the same drawing gives the same bytes.

    Args:
        draw: adds axes to the figure and draws in them.
        size: width and height, in inches of 72 units.
        background: a colour; None leaves it transparent.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", facecolor=background)
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=background is None, metadata=NO_METADATA)
    return "<svg" + file.getvalue().partition("<svg")[2]


def plot(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    """Return a plot as an element of a page: transparent, with the page's colours."""
    element = svg(lambda figure: draw(figure.add_subplot()), size, background=None)
    element = re.sub('<g id="[^"]*"', "<g", element)  # a page with several plots would repeat these ids
    return re.sub("#[0-9a-f]{6}", _variable, element)


def _variable(colour: re.Match[str]) -> str:
    name = VARIABLES.get(colour[0])
    return f"var(--{name}, {colour[0]})" if name else colour[0]


def shares(axes: Axes, parts: Mapping[str, Mapping[str, int]], xlabel: str) -> None:
    """Draw one group of bars for each label: the share of each part that has the label.

    Args:
        axes: where to draw.
        parts: name -> label -> number; all have the labels of the first one, in its order.
        xlabel: name of the axis of the labels.
    """
    width = 0.8 / max(1, len(parts))
    for place, (part, numbers) in enumerate(parts.items()):
        total = sum(numbers.values())
        left = np.arange(len(numbers)) + (place - (len(parts) - 1) / 2) * width
        heights = [number / max(1, total) for number in numbers.values()]
        axes.bar(left, heights, width * 0.9, label=f"{part} ({total:,})", color=COLOURS[part])
    labels = list(next(iter(parts.values()), {}))
    axes.set_xticks(range(len(labels)), labels)
    if sum(len(label) + 2 for label in labels) > MAX_LETTERS:
        axes.tick_params("x", rotation=40)
    axes.set(title="Ratings", xlabel=xlabel, ylabel="share of ratings")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(frameon=False)


def long_tail(axes: Axes, ratings: NDArray[np.int64], items: NDArray[np.int64], events: str = "ratings") -> None:
    """Draw the share of train ratings that belong to the items with most ratings.

    Args:
        axes: where to draw.
        ratings: numbers of ratings that an item has, the highest first.
        items: the number of items with as many ratings.
        events: the word for ratings, or for events without ratings.
    """
    of_items = np.append(0, np.cumsum(items) / max(1, items.sum()))
    of_ratings = np.append(0, np.cumsum(items * ratings) / max(1, (items * ratings).sum()))
    some = np.unique(np.linspace(0, len(of_items) - 1, MAX_POINTS).astype(int))
    axes.plot(of_items[some], of_ratings[some], color=INK)
    axes.fill_between(of_items[some], of_ratings[some], color=INK, alpha=0.12)
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    once = items[ratings == 1].sum() / max(1, items.sum())
    top = np.interp(0.1, of_items, of_ratings)
    axes.plot(0.1, top, "o", color=ACCENT)
    axes.text(0.96, 0.2, f"the top 10% of items have {top:.0%}", color=ACCENT, ha="right")
    axes.text(0.96, 0.07, f"{once:.0%} of items have one {events.removesuffix('s')}", ha="right")
    axes.text(0.65, 0.63, "if all had equally many", color=FAINT_TEXT, rotation=45, transform_rotates_text=True,
              rotation_mode="anchor", ha="center", va="top")  # fmt: skip
    axes.set(
        title="The long tail",
        xlabel=f"items, those with most {events} first",
        ylabel=f"train {events}",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_major_locator(MaxNLocator(5))
