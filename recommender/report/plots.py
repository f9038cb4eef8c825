"""Draw the plots of the report."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from recommender.evaluation.intervals import Estimate
from recommender.evaluation.metric_names import CUTS
from recommender.pages.plots import ACCENT, FAINT, FAINT_TEXT, INK, MAX_POINTS, SIZE, long_tail, plot, shares
from recommender.report.activity import Bin
from recommender.report.build import Report
from recommender.report.learning import Curve, Sizes
from recommender.report.order import LEARNED, Weights
from recommender.report.stages import Kind, Stages
from recommender.report.summary import Counts, Summary

FEW = 30  # a curve with at most this many points marks each
MIN_SPAN = 0.04  # minimum height of an error axis as a share of the errors, so that small differences look small
COLOURS = {Kind.FINAL: ACCENT, Kind.PART: INK, Kind.OTHER: FAINT}


def plots(report: Report) -> dict[str, list[str]]:
    """Return section -> its plots, each an `<svg>` element; a missing section has none."""
    drawn = {"data": _of_data(report.summary, f"{report.called}s")}
    if not isinstance(report.curve, str):
        drawn["curve"] = [plot(partial(learning_curve, report.curve))]
    if not isinstance(report.sizes, str):
        drawn["sizes"] = [plot(partial(by_size, report.sizes))]
    if not isinstance(report.weights, str):
        drawn["weights"] = _of_weights(report.weights)
    if not isinstance(report.stages, str):
        size = _size(len(report.stages.stages))
        drawn["stages"] = [plot(partial(hit_rates, report.stages, k), size) for k in CUTS]
    if not isinstance(report.activity, str):
        drawn["activity"] = [_errors(report.activity.of_users, "user"), _errors(report.activity.of_items, "item")]
    return drawn


def _of_data(summary: Summary, events: str) -> list[str]:
    rated = [plot(lambda axes: shares(axes, summary.by_rating, "rating"))] if summary.by_rating else []
    return [
        *rated,
        plot(lambda axes: long_tail(axes, summary.tail[0], summary.tail[1], events)),
        _counts(summary.users_by_ratings, "users", events),
        _counts(summary.items_by_ratings, "items", events),
    ]


def _counts(numbers: Counts, what: str, events: str) -> str:
    return plot(partial(counts, numbers, what, events), _size(len(numbers)))


def _of_weights(found: Weights) -> list[str]:
    weights = {"Weights": found.weights}
    if found.session_weights:
        weights = {"Begins a session": found.weights, "Within a session": found.session_weights}
    drawn = [
        plot(partial(bars, values, "{:.3g}", None, title, "weight"), _size(len(values)))
        for title, values in weights.items()
    ]
    if not found.ndcg:
        return drawn
    decides = found.alone or LEARNED
    ndcg = partial(bars, found.ndcg, "{:.4f}", decides, f"{found.targets:,} held-out events", "NDCG at 100")
    return [*drawn, plot(ndcg, _size(len(found.ndcg)))]


def _errors(bins: list[Bin], whose: str) -> str:
    return plot(partial(errors, bins, f"By the {whose}'s train ratings"), _size(len(bins)))


def counts(numbers: Counts, what: str, events: str, axes: Axes) -> None:
    """Draw a bar with its number of users or items for each number of events, from top to bottom."""
    drawn = axes.barh(range(len(numbers)), list(numbers.values()), color=INK)
    axes.bar_label(drawn, [f"{number:,}" for number in numbers.values()], padding=3, color=FAINT_TEXT)
    axes.set(title=f"{what.capitalize()} by their train {events}", xlabel=what, ylabel=f"train {events}")
    axes.margins(x=0.22)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    _label_rows(axes, list(numbers))


def bars(values: dict[str, float], written: str, marked: str | None, title: str, xlabel: str, axes: Axes) -> None:
    """Draw a bar with its value for each name, from top to bottom, and mark one of them."""
    colours = [ACCENT if name == marked else INK for name in values]
    drawn = axes.barh(range(len(values)), list(values.values()), color=colours)
    axes.bar_label(drawn, [written.format(value) for value in values.values()], padding=3, color=FAINT_TEXT)
    axes.set(title=title, xlabel=xlabel, xlim=(0, 1.3 * max(values.values(), default=0) or 1))
    axes.xaxis.set_major_locator(MaxNLocator(3))
    _label_rows(axes, list(values))


def _size(rows: int) -> tuple[float, float]:
    """Return the size of a plot with this number of rows."""
    return SIZE[0], max(2.1, 0.8 + 0.18 * rows)


def _label_rows(axes: Axes, labels: list[str]) -> None:
    """Label the places 0, 1, ... of the y axis, the first one at the top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params("y", length=0)


def learning_curve(curve: Curve, axes: Axes) -> None:
    """Draw the validation error by iteration, and mark the chosen one."""
    number = np.arange(1, len(curve.rmse) + 1)
    rmse = np.array(curve.rmse)
    some = np.unique(np.append(np.linspace(0, len(rmse) - 1, MAX_POINTS).astype(int), curve.chosen - 1))
    axes.plot(number[some], rmse[some], "o-" if len(rmse) <= FEW else "-", color=INK, markersize=4)
    _mark(axes, curve.chosen, rmse[curve.chosen - 1], f"iteration {curve.chosen}")
    axes.set(title="Learning curve", xlabel="iteration", ylabel="validation RMSE")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))


def by_size(sizes: Sizes, axes: Axes) -> None:
    """Draw the validation error by embedding size, and mark the model's own."""
    size, rmse = list(sizes.rmse), list(sizes.rmse.values())
    axes.plot(size, rmse, "o-", color=INK, markersize=4)
    _mark(axes, sizes.own, sizes.rmse[sizes.own], f"this model, {sizes.own}")
    low, high = min(rmse), max(rmse)
    margin = max(0.3 * (high - low), MIN_SPAN * high / 2)
    axes.set(title="Embedding size", xlabel="embedding_dim", ylabel="validation RMSE")
    if np.isfinite(high):
        axes.set_ylim(low - margin, high + margin)


def _mark(axes: Axes, x: float, y: float, text: str) -> None:
    """Mark a point of a curve and describe it in the legend."""
    axes.plot(x, y, "o", color=ACCENT, markersize=8, label=f"{text}: {y:.4f}")
    axes.legend(frameon=False, labelcolor=ACCENT, handlelength=1)


def hit_rates(stages: Stages, k: int, axes: Axes) -> None:
    """Draw the hit rate at k of each order, with its interval."""
    for place, stage in enumerate(stages.stages):
        rate = stage.rates[k]
        _interval(axes, rate, place, COLOURS[stage.kind])
        axes.annotate(f"{rate.value:.2%}", (rate.high, place), xytext=(6, 0), textcoords="offset points", va="center")
    highest = max(stage.rates[k].high for stage in stages.stages)
    axes.set(title=f"Among the first {k}", xlim=(0, 1.35 * highest or 0.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _label_rows(axes, [stage.name for stage in stages.stages])


def _interval(axes: Axes, estimate: Estimate, place: int, colour: str) -> None:
    axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2)
    axes.plot(estimate.value, place, "o", color=colour, markersize=7)


def errors(bins: list[Bin], title: str, axes: Axes) -> None:
    """Draw the test error of each bin with its interval, and its number of rows at the right."""
    for place, one in enumerate(bins):
        _interval(axes, one.rmse, place, INK)
        axes.annotate(f"{one.rows:,}", (1, place), xytext=(6, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", va="center", color=FAINT_TEXT)  # fmt: skip
    axes.set(title=title, xlabel="test RMSE (at the right: test rows)", ylabel="train ratings")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.2f}"))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    _label_rows(axes, [one.label for one in bins])
