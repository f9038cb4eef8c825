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
    """What results/study.json holds."""

    command: str
    machine: str
    data: str
    rows: list[dict[str, object]]
    means: list[dict[str, object]]
    differences: list[dict[str, object]]


def run(name: str, cache: Cache, folder: Path, command: str) -> None:
    """Fit what is missing, and write the results of all."""
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
    """The three files."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "study.json", as_json(vars(found)))
    write_text(folder / "study.md", as_markdown(found, with_paper))
    plot.draw(found.means, with_paper, folder / "study.svg")
    print((folder / "study.md").read_text(encoding="utf-8"))


def as_json(values: dict[str, object]) -> str:
    """One row a line, so that a change is a line in a diff."""
    parts = []
    for name, value in values.items():
        text = json.dumps(value) if not isinstance(value, list) else _lines(value)
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def as_markdown(found: Table5, with_paper: bool) -> str:
    """The tables, and how to read them."""
    hours = sum(float(str(row["seconds"])) for row in found.rows) / 3600
    parts = [
        f"`{found.command}` on {found.machine}",
        f"{found.data}. Means over the seeds; {table.COLLAPSED} the embeddings have collapsed: they move a prediction "
        f"by less than {rows.COLLAPSED:.0%} of the error that is there without them. All of it took at most "
        f"{hours:.1f} hours of one core.",
        table.table5(found.means, found.rows, with_paper),
        "Every difference is of the RMSEs on the same test ratings, resampled together; noise where 0 is inside. "
        "Ours is bias MF by least squares at 150, chosen on validation.",
        table.beside_default(found.means, found.differences),
    ]
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[object]) -> str:
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]"
