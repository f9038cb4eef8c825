"""Plot Table 5 from results/study.json: test RMSE by embedding size."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recommender.common.files import write_text
from recommender.pages.plots import ACCENT, FAINT, INK, svg
from study.table5.cells import DEFAULTS, VALIDATION
from study.table5.table import NAMES, PAPER, PAPER_SIZES, Row

RED, GREEN, FLAT = "#b3432b", "#3f7d58", "#52606d"
# model, solver, chosen on -> label, colour, style of the line
BIASED = {
    ("bias", "als", VALIDATION): ("Bias MF, least squares: the default", INK, "-"),
    ("bias", "adam, our values", VALIDATION): ("Bias MF, Adam, our defaults", GREEN, "-"),
    ("bias", "adam", VALIDATION): ("Bias MF, Adam, the paper's values", FAINT, "-"),
    ("bias", "dense adam", VALIDATION): ("Bias MF, the paper's dense Adam", RED, "-"),
    ("surprise svd", "sgd", DEFAULTS): ("Surprise SVD, its defaults", ACCENT, "-"),
    ("surprise svd", "sgd", VALIDATION): ("Surprise SVD, epochs by validation", ACCENT, "--"),
}
OTHERS = {
    ("basic", "adam", VALIDATION): ("Basic MF, Adam, the paper's values", INK, "-"),
    ("basic", "dense adam", VALIDATION): ("Basic MF, the paper's dense Adam", RED, "-"),
    ("sigmoid", "adam", VALIDATION): ("Sigmoid MF, Adam, the paper's values", ACCENT, "-"),
    ("sigmoid", "dense adam", VALIDATION): ("Sigmoid MF, the paper's dense Adam", GREEN, "-"),
}


def draw(means: Sequence[Row], with_paper: bool, path: Path) -> None:
    """Write an SVG: models with biases left, without biases right, and baselines without embeddings in both."""
    write_text(path, svg(partial(_panels, means, with_paper), size=(11, 5.6), background="white"))


def _panels(means: Sequence[Row], with_paper: bool, figure: Figure) -> None:
    left, right = figure.subplots(1, 2)
    _panel(left, means, BIASED, {"damped biases": "damped biases, no embedding"})
    _panel(right, means, OTHERS, {"always 0": "always 0", "always 3": "always 3", "the mean": "the mean"})
    left.set(title="With biases", xlabel="embedding size", ylabel="test RMSE, chosen on validation")
    right.set(title="Without", xlabel="embedding size", ylabel="test RMSE, chosen on validation")
    for axes, models in ((left, ["bias"]), (right, ["basic", "sigmoid"])):
        for model, colour in zip(models if with_paper else [], (INK, ACCENT), strict=False):
            label = f"{NAMES[model]}, as the paper reports it, chosen on test"
            axes.plot(PAPER_SIZES, PAPER[model], ":", color=colour, label=label)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)}
        axes.legend(*axes.get_legend_handles_labels(), frameon=False, fontsize=9, **below)


def _panel(
    axes: Axes, means: Sequence[Row], lines: dict[tuple[str, str, str], tuple[str, str, str]], flat: dict[str, str]
) -> None:
    for (model, solver, way), (label, colour, style) in lines.items():
        rows = [row for row in means if (row["model"], row["solver"], row["chosen_on"]) == (model, solver, way)]
        points = sorted((int(str(row["embedding_dim"])), float(str(row["test_rmse"]))) for row in rows)
        if points:
            axes.plot(*zip(*points, strict=True), style, marker="o", markersize=4, color=colour, label=label)
    for (model, label), dashes in zip(flat.items(), ("-.", "--", (0, (1, 3))), strict=False):
        for row in means:
            if (row["model"], row["chosen_on"]) == (model, VALIDATION):
                value = float(str(row["test_rmse"]))
                axes.axhline(value, color=FLAT, linestyle=dashes, linewidth=1.2, label=f"{label}: {value:.3f}")
