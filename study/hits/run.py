"""Hit rates of whole pipelines, compared with peers on the same data and protocols: results/hits.json, .md, .svg.

Recommendations are of the full catalogue without the user's own items. Parameters are chosen on events held out inside
train, then everything in train is fitted, and the test events are looked at once.
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
from study.hits.recommenders import OURS, PRODUCT

COMPARED = (10, 100)  # where the differences of hit rates are taken
REFERENCES = (POPULARITY.name, OURS.name)


def run(datasets: Iterable[Data], cache: Cache, results: Path, command: str) -> None:
    """Measure every contestant on each data set and write hits.json, hits.md and hits.svg to `results`.

    What `cache` has is not computed again: a run that was stopped goes on at the fit where it stopped.
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
    """Fit and measure what is not the product's, and return the tables."""
    return report.markdown(rows_of(data, cache, [one for one in contestants_of(data) if one not in PRODUCT]))


def rows_of(data: Data, cache: Cache, contestants: Sequence[Contestant]) -> list[Row]:
    """Return one row for each contestant, those that can't run among them, after the published figures."""
    outcomes = {one.name: outcome(data, one, cache) for one in contestants}
    rows = [*published.rows_of(data.name), *(compared(row, outcomes) for row in outcomes.values())]
    return [{"data": data.name, "how": data.how, **row} for row in rows]


def contestants_of(data: Data) -> list[Contestant]:
    """Return all contestants that the data is for; titles alone only if most items have a title."""
    titled = sum(map(bool, data.titles)) > len(data.titles) / 2
    others = [one for one in (*BASELINES, *PEERS) if titled or one is not TITLES]
    return [*PRODUCT, *(one for one in others if not data.only or one.name in data.only)]


def compared(row: Row, outcomes: Mapping[str, Row]) -> Row:
    """Return the row without the values of users, with the paired differences of its hit rates to the references'."""
    found = {name: value for name, value in row.items() if not name.startswith("users_")}
    for reference in REFERENCES:
        for k in COMPARED:
            own, other = (one.get(f"users_hit_rate@{k}") for one in (row, outcomes.get(reference, {})))
            if own is not None and other is not None and row["contestant"] != reference:
                name = f"hit_rate@{k}_minus_{reference}"
                estimate = difference(own, other)
                found |= {**flat(name, estimate), f"{name}_is_noise": estimate.low <= 0 <= estimate.high}
    return found
