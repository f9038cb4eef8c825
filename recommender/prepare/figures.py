"""The figures of the summary page as SVG: the paper's 1 to 3, and the long tail of the items."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from recommender.prepare.summary import Summary

INK, MUTED, FAINT = "#1f3a5f", "#d9843b", "#9aa5b1"
TICKS = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000]
MUTED_TEXT = "#7b8794"
COLOURS = {"train": INK, "validation": FAINT, "test": MUTED}
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


def figures(summary: Summary) -> list[str]:
    """The figures in their order, each one `<svg>` element."""
    with mpl.rc_context(STYLE):
        return [svg(summary, draw) for draw in (verified_share, items_of_users, ratings_of_parts, long_tail)]


def svg(summary: Summary, draw: Callable[[Summary, Axes], None]) -> str:
    """What a function draws."""
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    draw(summary, figure.add_subplot())
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return "<svg" + file.getvalue().partition("<svg")[2]


def verified_share(summary: Summary, axes: Axes) -> None:
    """Figure 1: how many reviews are of a verified purchase."""
    read, verified = summary.steps[0].reviews, summary.steps[1].reviews
    numbers = [verified, read - verified]
    bars = axes.barh(["verified", "not verified"], numbers, color=[INK, MUTED])
    axes.bar_label(bars, [f"{number:,}  ({number / read:.1%})" for number in numbers], padding=4)
    axes.set(title="Purchases behind the reviews", xlim=(0, read * 1.35))
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.invert_yaxis()


def items_of_users(summary: Summary, axes: Axes) -> None:
    """Figure 2: unique items of a user, and where users begin to be kept."""
    items, users = _columns(summary.users_by_items)
    least = int(summary.settings["min_items"])
    kept = items >= least
    for chosen, colour, label in ((~kept, FAINT, "left out"), (kept, INK, f"kept: at least {least}")):
        axes.plot(items[chosen], users[chosen], "o", markersize=5, color=colour, label=label)
    axes.set(title="Unique items of a user", xlabel="unique items", ylabel="users", yscale="log", xscale="log")
    axes.set_xticks([tick for tick in TICKS if tick <= items.max(initial=1)], minor=False)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(frameon=False)


def ratings_of_parts(summary: Summary, axes: Axes) -> None:
    """Figure 3: which ratings the parts hold."""
    parts = {part: dict(ratings) for part, ratings in summary.reviews_by_rating.items() if ratings}
    stars = range(1, 6)
    width = 0.8 / max(1, len(parts))
    for place, (part, ratings) in enumerate(parts.items()):
        total = sum(ratings.values())
        shares = [ratings.get(star, 0) / total for star in stars]
        left = [star + (place - (len(parts) - 1) / 2) * width for star in stars]
        axes.bar(left, shares, width * 0.9, label=f"{part} ({total:,})", color=COLOURS[part])
    axes.set(title="Ratings", xlabel="stars", ylabel="share of the part")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(frameon=False)


def long_tail(summary: Summary, axes: Axes) -> None:
    """The share of the train ratings that the most rated items have."""
    reviews, items = _columns(summary.items_by_reviews[::-1])
    of_items = np.append(0, np.cumsum(items) / max(1, items.sum()))
    of_reviews = np.append(0, np.cumsum(items * reviews) / max(1, (items * reviews).sum()))
    axes.plot(of_items, of_reviews, color=INK)
    axes.fill_between(of_items, of_reviews, color=INK, alpha=0.12)
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    once = items[reviews == 1].sum() / max(1, items.sum())
    top = np.interp(0.1, of_items, of_reviews)
    axes.plot(0.1, top, "o", color=MUTED)
    axes.text(0.32, 0.22, f"the top 10% of the items have {top:.0%}", color=MUTED)
    axes.text(0.32, 0.12, f"{once:.0%} of the items have one rating")
    axes.text(0.56, 0.47, "if all had as many", color=MUTED_TEXT, rotation=31)
    axes.set(title="The long tail", xlabel="items, most rated first", ylabel="train ratings", xlim=(0, 1), ylim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_major_locator(MaxNLocator(5))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second
