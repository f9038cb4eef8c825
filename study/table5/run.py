"""Plan -> results/study.json, study.md and study.svg."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recommender.common.files import write_text
from recommender.common.output import say
from study.cache import Cache
from study.common import machine
from study.data import DATA
from study.table5 import plot, rows, table
from study.table5.cells import fit_all
from study.table5.plan import SAMPLE, WHOLE, in_order


@dataclass(frozen=True)
class Table5:
    """The content of results/study.json."""

    command: str
    machine: str
    data: str
    rows: list[dict[str, object]]
    means: list[dict[str, object]]
    differences: list[dict[str, object]]


def run(name: str, cache: Cache, folder: Path, command: str) -> None:
    """Fit the cells that the cache lacks, and write the results of all."""
    data = DATA[name]()
    results = fit_all(name, in_order(SAMPLE if name == "sample" else WHOLE), cache)
    errors = rows.errors_of(results, data.test.ratings)
    say("table 5: intervals of every estimate and difference ...")
    found = Table5(
        command,
        machine(),
        f"{data.name}: {len(data.train):,} train and {len(data.test):,} test ratings",
        rows.rows_of(results, data.test.ratings),
        rows.means_of(errors),
        rows.differences_of(errors),
    )
    write(found, folder, with_paper=name == "paper")


def write(found: Table5, folder: Path, *, with_paper: bool) -> None:
    """Write study.json, study.md and study.svg to the folder, and print the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "study.json", as_json(vars(found)))
    write_text(folder / "study.md", as_markdown(found, with_paper))
    plot.draw(found.means, with_paper, folder / "study.svg")
    print((folder / "study.md").read_text(encoding="utf-8"))


def as_json(values: dict[str, object]) -> str:
    """Return JSON with one row per line, so that a changed row is one line of a diff."""
    parts = []
    for name, value in values.items():
        text = json.dumps(value) if not isinstance(value, list) else _lines(value)
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_markdown(found: Table5, with_paper: bool) -> str:
    """Return the tables, with a text on how to read them."""
    hours = sum(float(str(row["seconds"])) for row in found.rows) / 3600
    parts = [
        f"`{found.command}` on {found.machine}",
        f"{found.data}. Values are means over the seeds. {table.COLLAPSED} marks collapsed embeddings: they change "
        f"predictions by less than {rows.COLLAPSED:.0%} of the error without them. All fits took at most {hours:.1f} "
        "hours of one core.",
        table.table5(found.means, found.rows, with_paper),
        "Differences are paired: both RMSEs are of the same resampled test ratings. Noise: the interval contains 0. "
        "Ours is bias MF by least squares at embedding size 150, chosen on validation.",
        table.compared_with_default(found.means, found.differences),
    ]
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[object]) -> str:
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]"
