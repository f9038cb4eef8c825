"""Draw the plots of the summary page: the paper's Figures 1 to 3 and the long tail of items."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from recommender.pages import plots as shared
from recommender.pages.plots import ACCENT, FAINT, INK, plot
from recommender.prepare.summary import Summary

FEW_TICKS = [1, 2, 3, 5, 10, 20, 50]
MANY_TICKS = [10**power for power in range(10)]


def plots(summary: Summary) -> list[str]:
    """Return the plots in the order of the page, each as one `<svg>` element."""
    return [plot(partial(draw, summary)) for draw in (verified_share, items_of_users, ratings_of_parts, long_tail)]


def verified_share(summary: Summary, axes: Axes) -> None:
    """Draw Figure 1: the number of reviews with and without a verified purchase."""
    read, verified = summary.steps[0].reviews, summary.steps[1].reviews
    numbers = [verified, read - verified]
    bars = axes.barh(["verified", "not verified"], numbers, color=[INK, ACCENT])
    axes.bar_label(bars, [f"{number:,}  ({number / read:.1%})" for number in numbers], padding=4)
    axes.set(title="Purchases behind the reviews", xlim=(0, read * 1.9))
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.invert_yaxis()


def items_of_users(summary: Summary, axes: Axes) -> None:
    """Draw Figure 2: the number of users by their number of unique items, and which users are kept."""
    items, users = _columns(summary.users_by_items)
    least = int(summary.settings["min_items"])
    kept = items >= least
    for chosen, colour, label in ((~kept, FAINT, "left out"), (kept, INK, f"kept: at least {least}")):
        axes.plot(items[chosen], users[chosen], "o", markersize=5, color=colour, label=label)
    axes.set(title="Unique items per user", xlabel="unique items", ylabel="users", yscale="log", xscale="log")
    most = items.max(initial=1)
    axes.set_xticks([tick for tick in (FEW_TICKS if most < 100 else MANY_TICKS) if tick <= most])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(frameon=False)


def ratings_of_parts(summary: Summary, axes: Axes) -> None:
    """Draw Figure 3: the share of each rating in each part."""
    parts = {part: dict(ratings) for part, ratings in summary.reviews_by_rating.items() if ratings}
    numbers = {part: {str(star): ratings.get(star, 0) for star in range(1, 6)} for part, ratings in parts.items()}
    shared.shares(axes, numbers, "stars")


def long_tail(summary: Summary, axes: Axes) -> None:
    """Draw the share of the train ratings that belongs to the most rated items."""
    shared.long_tail(axes, *_columns(summary.items_by_reviews[::-1]))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second
