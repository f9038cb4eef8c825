"""results/study.json -> table 5 in Markdown, and a table that compares models with the project's default."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from study.common import table
from study.table5.cells import DEFAULTS, TEST, VALIDATION
from study.table5.rows import BIASES, DEFAULT, Group

Row = Mapping[str, object]
# The paper's table 5, embedding sizes 10 to 300.
PAPER = {
    "basic": (5.3342, 5.3729, 4.2486, 4.2434, 4.2779, 4.1868, 4.1887, 4.3001),
    "sigmoid": (1.8329, 1.8973, 1.9116, 1.6898, 1.6584, 1.6269, 1.6382, 1.6374),
    "bias": (1.2130, 1.1898, 1.1823, 1.1730, 1.1710, 1.1729, 1.1765, 1.1801),
    "surprise svd": (1.1897, 1.1907, 1.1875, 1.1858, 1.1853, 1.1986, 1.1904, 1.1948),
}
PAPER_SIZES = (10, 20, 50, 100, 150, 200, 250, 300)
NAMES = {"basic": "Basic MF", "sigmoid": "Sigmoid MF", "bias": "Bias MF", "surprise svd": "Surprise SVD"}
SOLVERS = {
    "als": "least squares",
    "adam": "Adam, rows of the batch",
    "adam, our values": "Adam, rows of the batch, our defaults",
    "dense adam": "Adam, dense: the paper's loop",
    "dense adam, standard normal": "the same, standard normal initial embeddings",
    "sgd": "its own SGD",
    "means": "",
    "": "",
}
WAYS = {TEST: "test, as in the paper", VALIDATION: "validation", DEFAULTS: "its defaults"}
COLLAPSED = "†"


def table5(means: Sequence[Row], fits: Sequence[Row], with_paper: bool) -> str:
    """Return a line per model, solver and way of choosing: means over the seeds by size, collapsed ones marked."""
    sizes = sorted({_int(row["embedding_dim"]) for row in means} - {0})
    collapsed = {_group(row) for row in fits} - {_group(row) for row in fits if not row["collapsed"]}
    lines: list[list[object]] = []
    for model in NAMES:
        own = [row for row in means if row["model"] == model]
        if with_paper:
            reported = dict(zip(PAPER_SIZES, PAPER[model], strict=True))
            lines.append([NAMES[model], "as published", "", *(f"{reported[size]:.4f}" for size in sizes)])
        for (solver, way), some in _lines(own):
            values = {_int(row["embedding_dim"]): _shown(row, collapsed) for row in some}
            lines.append([NAMES[model], SOLVERS[solver], WAYS[way], *(values.get(size, "") for size in sizes)])
    return table(["model", "solver", "chosen on", *map(str, sizes)], lines)


def compared_with_default(means: Sequence[Row], differences: Sequence[Row]) -> str:
    """Return a table of the models of the default's size or without embeddings, compared with both references."""
    lines: list[list[object]] = []
    for row in means:
        group = _group(row)
        if group.embedding_dim in {0, DEFAULT.embedding_dim} and (group.chosen_on != TEST):
            low, high = _pair(row["interval"])
            name = NAMES.get(group.model, group.model)
            how = ", ".join(part for part in (SOLVERS[group.solver], _way(group)) if part)
            values = [f"{row['test_rmse']:.4f}", row["seeds"], f"{low:.3f} to {high:.3f}"]
            against = [_difference(group, reference, differences) for reference in (DEFAULT, BIASES)]
            lines.append([f"{name} ({how})" if how else name, *values, *against])
    header = ["", "test RMSE", "seeds", "95 % interval", "RMSE minus ours, paired", "minus damped biases, paired"]
    return table(header, lines)


def _lines(rows: Sequence[Row]) -> list[tuple[tuple[str, str], list[Row]]]:
    def key(row: Row) -> tuple[str, str]:
        return str(row["solver"]), str(row["chosen_on"])

    order = [*WAYS]
    ordered = sorted(rows, key=lambda row: ([*SOLVERS].index(key(row)[0]), order.index(key(row)[1])))
    return [(name, list(some)) for name, some in groupby(ordered, key)]


def _way(group: Group) -> str:
    return "" if group.model in {"always 0", "always 3", "the mean"} else WAYS[group.chosen_on]


def _shown(row: Row, collapsed: set[Group]) -> str:
    return f"{row['test_rmse']:.4f}" + (COLLAPSED if _group(row) in collapsed else "")


def _difference(group: Group, reference: Group, differences: Sequence[Row]) -> str:
    for row in differences:
        if _group(row) == group and Group(**row["minus"]) == reference:  # type: ignore[arg-type]
            low, high = _pair(row["interval"])
            return f"{row['difference']:+.4f} ({low:+.4f} to {high:+.4f})" + (", noise" if row["noise"] else "")
    return ""


def _group(row: Row) -> Group:
    return Group(str(row["model"]), str(row["solver"]), _int(row["embedding_dim"]), str(row["chosen_on"]))


def _pair(value: object) -> tuple[float, float]:
    low, high = value if isinstance(value, list) else [float("nan")] * 2
    return float(low), float(high)


def _int(value: object) -> int:
    return int(str(value))
