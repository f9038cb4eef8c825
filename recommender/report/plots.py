"""The figures of the page as SVG."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter, StrMethodFormatter

from recommender.evaluation.evaluate import CUTS
from recommender.evaluation.intervals import Estimate
from recommender.pages.plots import ACCENT, FAINT, FAINT_TEXT, INK, MAX_POINTS, long_tail, shares, svg
from recommender.report.activity import Bin
from recommender.report.build import Report
from recommender.report.learning import Curve, Sizes
from recommender.report.stages import Stages
from recommender.report.summary import Counts, Summary

FEW = 30  # points of a curve that are marked one by one
LEAST_SPAN = 0.04  # of the errors on an axis, as a share of them: a smaller difference is to look small


def figures(report: Report) -> dict[str, list[str]]:
    """Section of the page -> its figures, each one `<svg>` element; none of a section that is missing."""
    drawn = {"data": _of_data(report.summary)}
    if not isinstance(report.curve, str):
        drawn["curve"] = [svg(partial(learning_curve, report.curve))]
    if not isinstance(report.sizes, str):
        drawn["sizes"] = [svg(partial(by_size, report.sizes))]
    if not isinstance(report.stages, str):
        drawn["stages"] = [svg(partial(hit_rates, report.stages, k), size=(4.2, 2.2)) for k in CUTS]
    if not isinstance(report.activity, str):
        drawn["activity"] = [
            svg(partial(errors, report.activity.of_users, "By the user's train ratings")),
            svg(partial(errors, report.activity.of_items, "By the item's train ratings")),
        ]
    return drawn


def _of_data(summary: Summary) -> list[str]:
    return [
        svg(lambda axes: shares(axes, summary.by_rating, "rating")),
        svg(lambda axes: long_tail(axes, *summary.tail)),
        svg(partial(counts, summary.users_by_ratings, "Users by their train ratings", "users")),
        svg(partial(counts, summary.items_by_ratings, "Items by their train ratings", "items")),
    ]


def counts(numbers: Counts, title: str, what: str, axes: Axes) -> None:
    """How many there are of each label."""
    bars = axes.bar(list(numbers), list(numbers.values()), color=INK)
    axes.bar_label(bars, [f"{number:,}" for number in numbers.values()], padding=2, fontsize=8, color=FAINT_TEXT)
    axes.set(title=title, xlabel="train ratings", ylabel=what)
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _small_labels(axes, len(numbers))


def _small_labels(axes: Axes, number: int) -> None:
    """Labels that stay apart where there are many."""
    if number > 7:
        axes.tick_params("x", labelsize=8, rotation=35)


def learning_curve(curve: Curve, axes: Axes) -> None:
    """Validation error by iteration, the chosen one marked."""
    number = np.arange(1, len(curve.rmse) + 1)
    rmse = np.array(curve.rmse)
    some = np.unique(np.append(np.linspace(0, len(rmse) - 1, MAX_POINTS).astype(int), curve.chosen - 1))
    axes.plot(number[some], rmse[some], "o-" if len(rmse) <= FEW else "-", color=INK, markersize=4)
    _mark(axes, curve.chosen, rmse[curve.chosen - 1], f"iteration {curve.chosen}")
    axes.set(title="Learning curve", xlabel="iteration", ylabel="validation RMSE")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def by_size(sizes: Sizes, axes: Axes) -> None:
    """Validation error by size of the embeddings, the model's own marked."""
    size, rmse = list(sizes.rmse), list(sizes.rmse.values())
    axes.plot(size, rmse, "o-", color=INK, markersize=4)
    _mark(axes, sizes.own, sizes.rmse[sizes.own], f"this model, {sizes.own}")
    low, high = min(rmse), max(rmse)
    margin = max(0.3 * (high - low), LEAST_SPAN * high / 2)
    axes.set(title="Embedding size", xlabel="embedding_dim", ylabel="validation RMSE")
    if np.isfinite(high):
        axes.set_ylim(low - margin, high + margin)


def _mark(axes: Axes, x: float, y: float, text: str) -> None:
    """One point of a curve, and what it is, where there is room."""
    axes.plot(x, y, "o", color=ACCENT, markersize=8, label=f"{text}: {y:.4f}")
    axes.legend(frameon=False, labelcolor=ACCENT, handlelength=1)


def hit_rates(stages: Stages, k: int, axes: Axes) -> None:
    """The hit rate at k of each order, with its interval."""
    for place, stage in enumerate(stages.stages):
        rate = stage.rates[k]
        _interval(axes, rate, place, ACCENT if stage.ours else FAINT)
        axes.annotate(f"{rate.value:.2%}", (rate.high, place), xytext=(6, 0), textcoords="offset points", va="center")
    highest = max(stage.rates[k].high for stage in stages.stages)
    axes.set(title=f"Among the first {k}", xlim=(0, 1.25 * highest or 0.01), ylim=(len(stages.stages) - 0.5, -0.5))
    axes.set_yticks(range(len(stages.stages)), [stage.name for stage in stages.stages])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)


def _interval(axes: Axes, estimate: Estimate, place: int, colour: str) -> None:
    axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2)
    axes.plot(estimate.value, place, "o", color=colour, markersize=7)


def errors(bins: list[Bin], title: str, axes: Axes) -> None:
    """Test error of each bin with its interval, and how many rows it has."""
    value = np.array([one.rmse.value for one in bins])
    below = value - [one.rmse.low for one in bins]
    above = np.array([one.rmse.high for one in bins]) - value
    axes.errorbar(range(len(bins)), value, [np.maximum(below, 0), np.maximum(above, 0)], fmt="o", color=INK, capsize=3)
    axes.set_xticks(range(len(bins)), [one.label for one in bins])
    axes.set_title(title, pad=18)
    axes.set(xlabel="train ratings; the numbers above are test rows", ylabel="test RMSE", xlim=(-0.6, len(bins) - 0.4))
    for place, one in enumerate(bins):
        axes.annotate(f"{one.rows:,}", (place, 1), xytext=(0, 3), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", fontsize=8, color=FAINT_TEXT)  # fmt: skip
    axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{error:.2f}"))
    _small_labels(axes, len(bins))
