"""The figures of the summary page as SVG: the paper's 1 to 3, and the long tail of the items."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from recommender.pages import plots as shared
from recommender.pages.plots import ACCENT, FAINT, INK, svg
from recommender.prepare.summary import Summary

TICKS = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000]


def figures(summary: Summary) -> list[str]:
    """The figures in their order, each one `<svg>` element."""
    return [svg(partial(draw, summary)) for draw in (verified_share, items_of_users, ratings_of_parts, long_tail)]


def verified_share(summary: Summary, axes: Axes) -> None:
    """Figure 1: how many reviews are of a verified purchase."""
    read, verified = summary.steps[0].reviews, summary.steps[1].reviews
    numbers = [verified, read - verified]
    bars = axes.barh(["verified", "not verified"], numbers, color=[INK, ACCENT])
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
    numbers = {part: {str(star): ratings.get(star, 0) for star in range(1, 6)} for part, ratings in parts.items()}
    shared.shares(axes, numbers, "stars")


def long_tail(summary: Summary, axes: Axes) -> None:
    """The share of the train ratings that the most rated items have."""
    shared.long_tail(axes, *_columns(summary.items_by_reviews[::-1]))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second
