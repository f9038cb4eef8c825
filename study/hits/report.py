"""results/hits.json -> tables and a plot of the hit rates."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from recommender.common.files import write_text
from recommender.pages.plots import ACCENT, FAINT, INK, svg
from study.common import table

Row = Mapping[str, Any]
METRICS = {
    "HR@5": "hit_rate@5",
    "HR@10": "hit_rate@10",
    "HR@100": "hit_rate@100",
    "NDCG@5": "ndcg@5",
    "NDCG@10": "ndcg@10",
    "NDCG@100": "ndcg@100",
    "MRR@5": "mrr@5",
    "MRR@10": "mrr@10",
    "MRR@100": "mrr@100",
}
RECALLS = {"recall@10": "recall@10", "recall@100": "recall@100"}  # shown if users have several relevant items
WITH_INTERVAL = {"hit_rate@10", "ndcg@10"}
REFERENCES = ("popularity", "ours")
DIFFERENCES = {f"HR@{k} minus {one}": (f"hit_rate@{k}_minus_{one}", one) for one in REFERENCES for k in (10, 100)}
CHOSEN_HEADER = [
    "contestant",
    "chosen on validation",
    "tried",
    "seeds",
    "choosing",
    "a fit",
    "recommending",
    "coverage@10",
    "Gini@10",
    "novelty@10",
    "popularity@10",
]
HOW_TO_READ = (
    "Recommendations come from the whole catalogue without the user's seen items. HR@k is the share of users with a "
    "relevant item among the first k. Intervals (95 %) are over users. Random contestants have several seeds; their "
    "metrics are means. Differences are paired; noise: the interval contains 0. Published metrics are copied, not "
    "measured here."
)
HOW_CHOSEN = (
    "Parameters have the best NDCG@100 on events that are held out inside train in the same way. The column `tried` is "
    "the number of settings (for SASRec: epochs). If it is empty, the parameters are the defaults, or training chooses "
    "them itself. Then all of train is fitted. Seconds are of one run next to other programs: not a benchmark."
)
OURS = "ours"
OTHERS = "#52606d"  # the colour of peers and baselines, dark enough for small text
SHOWN = (10, 100)  # hit rates of the plot
PLOTTED = ("Amazon Fashion", "Online Retail, ties at random", "Amazon Beauty 2014")


def write(found: Mapping[str, Any], results: Path) -> None:
    """Write hits.md and hits.svg from the content of hits.json."""
    text = f"`{found['command']}` on {found['machine']}\n\n{markdown(found['rows'])}\n"
    write_text(results / "hits.md", text)
    write_text(results / "hits.svg", plot(found["rows"]))


def markdown(rows: Sequence[Row]) -> str:
    """Return the tables of every data set, after a text on how to read them."""
    return "\n\n".join([HOW_TO_READ, HOW_CHOSEN, *(part for one in names(rows) for part in _parts(of_data(rows, one)))])


def names(rows: Sequence[Row]) -> list[str]:
    """Return the names of the data sets in the order of the rows."""
    return list(dict.fromkeys(row["data"] for row in rows))


def of_data(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the rows of a data set."""
    return [row for row in rows if row["data"] == name]


def _parts(rows: Sequence[Row]) -> list[str]:
    measured = [row for row in rows if "seconds_fit" in row]
    columns = {**METRICS, **(RECALLS if any(row["relevant"] > 1 for row in measured) else {})}
    differences = {title: key for title, key in DIFFERENCES.items() if any(f"{key[0]}_low" in row for row in measured)}
    header = ["contestant", *(f"{title} (95 %)" if name in WITH_INTERVAL else title for title, name in columns.items())]
    return [
        f"## {rows[0]['data']}",
        f"{_sizes(rows)}. {rows[0]['how']}".strip(),
        table([*header, *differences], [metric_cells(row, columns, differences) for row in rows]),
        table(CHOSEN_HEADER, [choice_cells(row) for row in measured]),
    ]


def _sizes(rows: Sequence[Row]) -> str:
    measured = next(row for row in rows if "users" in row)
    relevant = f", {measured['relevant']:.1f} relevant items per user" if measured["relevant"] > 1 else ""
    return f"{measured['users']:,} users{relevant}, {measured['items']:,} items"


def metric_cells(row: Row, columns: Mapping[str, str], differences: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the cells of a contestant in the table of metrics."""
    name = row["contestant"]
    if "missing" in row:
        return [name, row["missing"], *[""] * (len(columns) + len(differences) - 1)]
    shown = f"{name}, as published: {row['source']}" if "source" in row else name
    accuracy = [metric(row, key) for key in columns.values()]
    return [shown, *accuracy, *(difference(row, key) for key, _ in differences.values())]


def metric(row: Row, name: str) -> str:
    """Return a metric, with its interval if it is in `WITH_INTERVAL`; '' if the row has none."""
    if name not in row:
        return ""
    if name not in WITH_INTERVAL or f"{name}_low" not in row:
        return f"{row[name]:.4f}"
    return f"{row[name]:.4f} ({row[f'{name}_low']:.4f} to {row[f'{name}_high']:.4f})"


def difference(row: Row, name: str) -> str:
    """Return a difference, its interval and whether it is noise; '' if the row has none."""
    if name not in row:
        return ""
    noise = ", noise" if row[f"{name}_is_noise"] else ""
    return f"{row[name]:+.4f} ({row[f'{name}_low']:+.4f} to {row[f'{name}_high']:+.4f}){noise}"


def choice_cells(row: Row) -> list[str]:
    """Return the cells of a contestant in the table of parameters and times."""
    return [
        row["contestant"],
        ", ".join(f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value}"
                  for name, value in row["chosen"].items()),
        str(len(row["tried"])) if row["tried"] else "",
        str(row["seeds"]),
        f"{row['seconds_choose']:.0f} s" if row["tried"] else "",
        f"{row['seconds_fit']:.2f} s",
        f"{row['seconds_recommend']:.2f} s",
        f"{row['coverage@10']:.4f}",
        f"{row['gini@10']:.3f}",
        f"{row['novelty@10']:.1f}",
        f"{row['mean_popularity@10']:.1f}",
    ]  # fmt: skip


def plot(rows: Sequence[Row]) -> str:
    """Draw hit rates with their intervals, one row of panels per data set; return SVG on white."""
    chosen = [name for name in PLOTTED if name in names(rows)] or names(rows)[:1]
    shown = {name: _by_hit_rate(of_data(rows, name)) for name in chosen}
    heights = [len(some) + 3 for some in shown.values()]
    return svg(partial(_panels, shown, heights), size=(9.6, 0.28 * sum(heights)), background="white")


def _panels(shown: Mapping[str, Sequence[Row]], heights: Sequence[int], figure: Figure) -> None:
    figure.set_layout_engine("constrained", h_pad=0.14, w_pad=0.08)
    panels = figure.subplots(len(shown), len(SHOWN), squeeze=False, height_ratios=heights)
    for (name, some), of_name in zip(shown.items(), panels, strict=True):
        for k, axes in zip(SHOWN, of_name, strict=True):
            panel(axes, some, k, title=f"{name}: {_sizes(some)}" if k == SHOWN[0] else "")


def panel(axes: Axes, rows: Sequence[Row], k: int, title: str) -> None:
    """Draw the hit rates at k of contestants from top to bottom, in the order of the rows."""
    axes.set_title(title, pad=10)
    axes.set_xlabel(f"hit rate at {k}, with 95 % interval")
    for place, row in enumerate(rows):
        name = f"hit_rate@{k}"
        colour = _colour(row)
        axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [place, place], color=colour, linewidth=2, alpha=0.55)
        axes.plot(row[name], place, "o", color=colour, markersize=5.5)
        axes.text(
            1.02, place, f"{row[name]:.4f}", transform=axes.get_yaxis_transform(), va="center", color=colour, size=8.5
        )
    _frame(axes, rows, k)


def _frame(axes: Axes, rows: Sequence[Row], k: int) -> None:
    axes.set_ylim(len(rows) - 0.5, -0.7)
    axes.set_xlim(left=0)
    axes.set_yticks(range(len(rows)), [row["contestant"] if k == SHOWN[0] else "" for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set(color=_colour(row), fontweight="bold" if row["contestant"].startswith(OURS) else "normal")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(axis="x", color=FAINT, alpha=0.25)
    axes.set_axisbelow(True)
    popular = next((row[f"hit_rate@{k}"] for row in rows if row["contestant"] == "popularity"), None)
    if popular is not None:
        axes.axvline(popular, color=ACCENT, linewidth=1, linestyle=(0, (3, 3)))


def _by_hit_rate(rows: Sequence[Row]) -> list[Row]:
    """Return the measured rows, the best hit rate at 10 first."""
    measured = [row for row in rows if "hit_rate@10_low" in row]
    return sorted(measured, key=lambda row: -row["hit_rate@10"])


def _colour(row: Row) -> str:
    if row["contestant"].startswith(OURS):
        return INK
    return ACCENT if row["contestant"] == "popularity" else OTHERS
