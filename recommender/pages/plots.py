"""How figures of a page look, and those that more than one page has: matplotlib's drawings as SVG within HTML."""

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
# A page may give a colour another value where it is dark: --ink, --accent, ...
VARIABLES = {INK: "ink", ACCENT: "accent", FAINT: "faint", FAINT_TEXT: "faint-text", "#000000": "axis"}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "recommender",  # the same data are the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
MAX_POINTS = 500  # of a curve: more are not to be seen, and a page stays small


def svg(draw: Callable[[Axes], None], size: tuple[float, float] = (5.6, 3.2)) -> str:
    """What a function draws, as one `<svg>` element; the same drawing is the same bytes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=NO_METADATA)
    element = "<svg" + file.getvalue().partition("<svg")[2]
    element = re.sub('<g id="[^"]*"', "<g", element)  # they would stand in every figure of a page
    return re.sub("#[0-9a-f]{6}", _variable, element)


def _variable(colour: re.Match[str]) -> str:
    name = VARIABLES.get(colour[0])
    return f"var(--{name}, {colour[0]})" if name else colour[0]


def shares(axes: Axes, parts: Mapping[str, Mapping[str, int]], xlabel: str) -> None:
    """Bars beside each other: of each part, what share of it falls to each label.

    Args:
        axes: where to draw.
        parts: name -> label -> number; all of them have the labels of the first one, in its order.
        xlabel: what the labels are.
    """
    width = 0.8 / max(1, len(parts))
    for place, (part, numbers) in enumerate(parts.items()):
        total = sum(numbers.values())
        left = np.arange(len(numbers)) + (place - (len(parts) - 1) / 2) * width
        heights = [number / max(1, total) for number in numbers.values()]
        axes.bar(left, heights, width * 0.9, label=f"{part} ({total:,})", color=COLOURS[part])
    labels = list(next(iter(parts.values()), {}))
    axes.set_xticks(range(len(labels)), labels)
    axes.set(title="Ratings", xlabel=xlabel, ylabel="share of the part")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(frameon=False)


def long_tail(axes: Axes, ratings: NDArray[np.int64], items: NDArray[np.int64]) -> None:
    """The share of the train ratings that the most rated items have.

    Args:
        axes: where to draw.
        ratings: ratings that an item has, the most first.
        items: how many items have as many.
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
    axes.text(0.32, 0.22, f"the top 10% of the items have {top:.0%}", color=ACCENT)
    axes.text(0.32, 0.12, f"{once:.0%} of the items have one rating")
    axes.text(0.56, 0.47, "if all had as many", color=FAINT_TEXT, rotation=31)
    axes.set(title="The long tail", xlabel="items, most rated first", ylabel="train ratings", xlim=(0, 1), ylim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_major_locator(MaxNLocator(5))
