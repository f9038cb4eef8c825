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
HEADER = ["contestant", "HR@5", "HR@10 (95 % interval)", "HR@100", "NDCG@10", "coverage@10"]
HEADER += ["HR@10 minus popularity's, paired"]
CHOSEN_HEADER = [
    "contestant",
    "chosen on validation",
    "of",
    "fit",
    "recommending",
    "Gini@10",
    "novelty@10",
    "popularity@10",
]
OURS = "ours"
OTHERS = "#52606d"  # the colour of peers and baselines, dark enough for small text
SHOWN = (10, 100)  # hit rates of the plot


def write(found: Mapping[str, Any], results: Path) -> None:
    """Write hits.md and hits.svg of what hits.json holds."""
    text = f"`{found['command']}` on {found['machine']}\n\n{markdown(found['rows'])}\n"
    write_text(results / "hits.md", text)
    write_text(results / "hits.svg", plot(found["rows"]))


def markdown(rows: Sequence[Row]) -> str:
    """The tables of every data set."""
    return "\n\n".join(part for name in names(rows) for part in _parts(name, of_data(rows, name)))


def names(rows: Sequence[Row]) -> list[str]:
    """The data sets, in their order."""
    return list(dict.fromkeys(row["data"] for row in rows))


def of_data(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of a data set."""
    return [row for row in rows if row["data"] == name]


def _parts(name: str, rows: Sequence[Row]) -> list[str]:
    return [
        f"## {name}",
        f"{_sizes(rows)}; each user's last rating is to be found in the whole catalogue, without what the user has "
        "seen. HR@k: share of the users whose item is among the first k. One seed each, so the intervals are of users; "
        "noise: the paired interval holds 0.",
        table(HEADER, [figures(row) for row in rows]),
        "Chosen by HR@10 (then NDCG@10) on each user's last train rating, of so many; no choice: the defaults. The fit "
        "is of all train ratings, ours with the choice of its sweeps; seconds beside other programs, no benchmark.",
        table(CHOSEN_HEADER, [choice(row) for row in rows if "seconds_fit" in row]),
    ]


def _sizes(rows: Sequence[Row]) -> str:
    measured = next(row for row in rows if "users" in row)
    return f"{measured['users']:,} users, {measured['items']:,} items"


def figures(row: Row) -> list[str]:
    """The cells of a contestant in the first table."""
    name = row["contestant"]
    if "missing" in row:
        return [name, row["missing"], *[""] * (len(HEADER) - 2)]
    if "hit_rate@10" not in row:
        return [f"{name}, as reported", f"{row['hit_rate@5']:.4f}", *[""] * (len(HEADER) - 2)]
    hit_rate = f"{row['hit_rate@10']:.4f} ({row['hit_rate@10_low']:.4f} to {row['hit_rate@10_high']:.4f})"
    return [
        name,
        f"{row['hit_rate@5']:.4f}",
        hit_rate,
        f"{row['hit_rate@100']:.4f}",
        f"{row['ndcg@10']:.4f}",
        f"{row['coverage@10']:.4f}",
        "" if name == "popularity" else difference(row, "hit_rate@10_minus_popularity"),
    ]


def difference(row: Row, name: str) -> str:
    """A difference, its interval and whether it is noise."""
    noise = ", noise" if row[f"{name}_is_noise"] else ""
    return f"{row[name]:+.4f} ({row[f'{name}_low']:+.4f} to {row[f'{name}_high']:+.4f}){noise}"


def choice(row: Row) -> list[str]:
    """The cells of a contestant in the second table."""
    chosen = ", ".join(f"{name} {value:g}" for name, value in row["chosen"].items())
    return [
        row["contestant"],
        chosen,
        str(len(row["tried"])) if row["tried"] else "",
        f"{row['seconds_fit']:.2f} s",
        f"{row['seconds_recommend']:.2f} s",
        f"{row['gini@10']:.3f}",
        f"{row['novelty@10']:.1f}",
        f"{row['mean_popularity@10']:.1f}",
    ]


def plot(rows: Sequence[Row]) -> str:
    """Draw hit rates with their intervals, a row of panels for each data set; return SVG on white."""
    shown = {name: _by_hit_rate(of_data(rows, name)) for name in names(rows)}
    heights = [len(some) + 3 for some in shown.values()]
    return svg(partial(_panels, shown, heights), size=(9.6, 0.28 * sum(heights)), background="white")


def _panels(shown: Mapping[str, Sequence[Row]], heights: Sequence[int], figure: Figure) -> None:
    figure.set_layout_engine("constrained", h_pad=0.14, w_pad=0.08)
    panels = figure.subplots(len(shown), len(SHOWN), squeeze=False, height_ratios=heights)
    for (name, some), of_name in zip(shown.items(), panels, strict=True):
        for k, axes in zip(SHOWN, of_name, strict=True):
            panel(axes, some, k, title=f"{name}: {_sizes(some)}" if k == SHOWN[0] else "")


def panel(axes: Axes, rows: Sequence[Row], k: int, title: str) -> None:
    """Draw the hit rate at k of contestants, from top to bottom in their order."""
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
    """Those that were measured, the best at 10 first."""
    measured = [row for row in rows if "hit_rate@10" in row]
    return sorted(measured, key=lambda row: -row["hit_rate@10"])


def _colour(row: Row) -> str:
    if row["contestant"].startswith(OURS):
        return INK
    return ACCENT if row["contestant"] == "popularity" else OTHERS
