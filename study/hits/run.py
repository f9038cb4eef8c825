"""The hit rate of the whole pipeline, stage by stage, beside peers on the same split: results/hits.json, .md, .svg.

Recommendations are of the full catalogue without what the user has seen; hyper-parameters are chosen by one more
leave-one-out inside train, then everything in train is fitted; the test ratings are looked at once.
"""

import datetime
import inspect
import json
from collections.abc import Sequence
from importlib import metadata
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recommender
from recommender.common.files import write_text
from recommender.common.progress import say
from recommender.evaluation.intervals import mean_estimate
from study.cache import Cache, code_digest
from study.common import machine
from study.data import Data
from study.hits import report
from study.hits.contestants import Contestant
from study.hits.measuring import Row, flat, measured
from study.hits.peers import PEERS
from study.hits.recommenders import OWN, POPULARITY, TITLES

COMPARED = (10, 100)  # where the difference of hit rates to popularity is taken
PAPER = {"contestant": "the paper's pipeline", "stage": "reported", "chosen": {}, "hit_rate@5": 1 / 1426}


def run(datasets: Sequence[Data], cache: Cache, results: Path, command: str) -> None:
    """Measure every contestant on each data set and write hits.json, hits.md and hits.svg to `results`.

    What `cache` has is not computed again: a run that was stopped goes on at the contestant where it stopped.
    """
    rows = [row for data in datasets for row in rows_of(data, cache)]
    found = {
        "command": command,
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "rows": rows,
    }
    results.mkdir(parents=True, exist_ok=True)
    write_text(results / "hits.json", json.dumps(found, indent=1) + "\n")
    report.write(found, results)


def rows_of(data: Data, cache: Cache) -> list[Row]:
    """One row for each contestant, those that are not installed and the paper's report among them."""
    reported = [PAPER] if data.name == "Amazon Fashion" else []
    outcomes = [outcome(data, contestant, cache) for contestant in contestants_of(data)]
    popular = next(one for one in outcomes if one["contestant"] == POPULARITY.name)["place"]
    return [{"data": data.name, **row} for row in [*reported, *(compared(one, popular) for one in outcomes)]]


def contestants_of(data: Data) -> list[Contestant]:
    """All of them; titles alone where most items have one."""
    titled = sum(map(bool, data.titles)) > len(data.titles) / 2
    return [*OWN, *([TITLES] if titled else []), *PEERS]


def outcome(data: Data, contestant: Contestant, cache: Cache) -> Row:
    """The row of a contestant and, as `place`, where each test item stands: from 0, -1 where it is not in 100."""
    version = installed(contestant.package)
    if version is None:
        say(f"{data.name}: {contestant.name}: {contestant.package} is not installed")
        return {**_named(contestant), "missing": f"{contestant.package} is not installed"}
    key = {
        "data": data.digest,
        **_named(contestant),
        "grid": [dict(params) for params in contestant.grid],
        "versions": {name: installed(name) for name in ("numpy", "scipy", contestant.package)},
        "code": code_of(contestant),
    }
    found = cache.get(key)
    if found is None:
        say(f"{data.name}: {contestant.name} ...")
        found = {**_named(contestant), **measured(data, contestant)}
        cache.put(key, found)
    rates = ", ".join(f"at {k} {found[f'hit_rate@{k}']:.4f}" for k in COMPARED)
    say(f"{data.name}: {contestant.name}: hit rate {rates}")
    return found


def compared(row: Row, popular: list[int]) -> Row:
    """The row without its places, with the paired differences of its hit rates to popularity's."""
    if "place" not in row:
        return row
    found = {name: value for name, value in row.items() if name != "place"}
    for k in COMPARED:
        difference = mean_estimate(_hits(row["place"], k) - _hits(popular, k))
        name = f"hit_rate@{k}_minus_popularity"
        found |= {**flat(name, difference), f"{name}_is_noise": difference.low <= 0 <= difference.high}
    return found


def installed(package: str) -> str | None:
    """The version of a distribution; None where it is not installed, '' of no package."""
    try:
        return metadata.version(package) if package else ""
    except metadata.PackageNotFoundError:
        return None


def code_of(contestant: Contestant) -> str:
    """Changes with what decides a contestant's result here: split, figures, fit and, of the pipeline, all its rooms."""
    package, here = Path(recommender.__path__[0]), Path(__file__).parent
    files = [package / "data" / "splits.py", package / "evaluation" / "ranking.py"]
    files += [here / name for name in ("measuring.py", "scoring.py", "ease.py")]
    files.append(Path(inspect.getfile(contestant.fit)))
    if not contestant.package:
        rooms = [
            sorted((package / room).rglob("*.py"))
            for room in ("models", "components", "candidates", "ranking", "pipeline")
        ]
        files += [package / "training" / "fit_model.py", *chain(*rooms)]
    return code_digest(files)


def _named(contestant: Contestant) -> Row:
    return {"contestant": contestant.name, "stage": contestant.stage}


def _hits(place: list[int], k: int) -> NDArray[np.float64]:
    places = np.array(place)
    return ((places >= 0) & (places < k)).astype(np.float64)
