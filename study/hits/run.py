"""Hit rates of whole pipelines, compared with peers on the same data and protocols: results/hits.json, .md, .svg.

Recommendations come from the full catalogue without the user's seen items. Parameters are chosen on events that are
held out inside train. Then all of train is fitted, and the test events are used once.
"""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from recommender.common.files import write_text
from study.cache import Cache
from study.common import machine
from study.data import Data
from study.hits import published, report
from study.hits.baselines import BASELINES, POPULARITY, TITLES
from study.hits.contestants import Contestant
from study.hits.measuring import Row, difference, flat
from study.hits.outcomes import outcome
from study.hits.peers import PEERS
from study.hits.recommenders import OUR_CONTESTANTS, OURS

COMPARED = (10, 100)  # k of the differences of hit rates
REFERENCES = (POPULARITY.name, OURS.name)


def run(datasets: Iterable[Data], cache: Cache, results: Path, command: str) -> None:
    """Measure every contestant on each data set and write hits.json, hits.md and hits.svg to `results`.

    Results in `cache` are not computed again: a stopped run resumes after its last finished fit.
    """
    found = {
        "command": command,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "rows": [row for data in datasets for row in rows_of(data, cache, contestants_of(data))],
    }
    results.mkdir(parents=True, exist_ok=True)
    write_text(results / "hits.json", json.dumps(found, indent=1) + "\n")
    report.write(found, results)


def peers_of(data: Data, cache: Cache) -> str:
    """Fit and measure the baselines and peers, and return the tables."""
    return report.markdown(rows_of(data, cache, [one for one in contestants_of(data) if one not in OUR_CONTESTANTS]))


def rows_of(data: Data, cache: Cache, contestants: Sequence[Contestant]) -> list[Row]:
    """Return the published rows, then one row per contestant, also for those that can't run."""
    outcomes = {one.name: outcome(data, one, cache) for one in contestants}
    rows = [*published.rows_of(data.name), *(compared(row, outcomes) for row in outcomes.values())]
    return [{"data": data.name, "how": data.how, **row} for row in rows]


def contestants_of(data: Data) -> list[Contestant]:
    """Return the contestants of a data set; `titles alone` only if most items have a title."""
    titled = sum(map(bool, data.titles)) > len(data.titles) / 2
    others = [one for one in (*BASELINES, *PEERS) if titled or one is not TITLES]
    return [*OUR_CONTESTANTS, *(one for one in others if not data.only or one.name in data.only)]


def compared(row: Row, outcomes: Mapping[str, Row]) -> Row:
    """Return the row without the values of each user, and with paired differences from the references' hit rates."""
    found = {name: value for name, value in row.items() if not name.startswith("users_")}
    for reference in REFERENCES:
        for k in COMPARED:
            own, other = (one.get(f"users_hit_rate@{k}") for one in (row, outcomes.get(reference, {})))
            if own is not None and other is not None and row["contestant"] != reference:
                name = f"hit_rate@{k}_minus_{reference}"
                estimate = difference(own, other)
                found |= {**flat(name, estimate), f"{name}_is_noise": estimate.low <= 0 <= estimate.high}
    return found
