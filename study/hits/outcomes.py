"""A contestant and a data set -> a row; steps that were computed before come from the cache.

The cache holds three kinds of results: a choice of parameters, the recommendations of one fit, and metrics. So a new
metric needs no new fit, and a second data set with the same events needs none either.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import recommender
from recommender.common.output import say
from recommender.evaluation.ranking import Rankings
from study.cache import Cache, code_digest, digest_of_sources, packed, unpacked
from study.data import Data, digest
from study.hits import measuring
from study.hits.contestants import CRITERION, Contestant, Params
from study.hits.environments import HERE
from study.hits.measuring import Row, choose, metrics, recommended_by

PACKAGES = ("numpy", "scipy", "scikit-learn")  # of every contestant
PACKAGES_ELSEWHERE = ("numpy", "torch", "pytorch-lightning")  # of contestants with a separate environment
# Rooms of the package: a change of their code changes the key of the project's own rows.
ROOMS = ("models", "components", "candidates", "ranking", "pipeline", "training")
SHOWN = (10, 100)
Key = Mapping[str, object]


def outcome(data: Data, contestant: Contestant, cache: Cache) -> Row:
    """Return the row of a contestant with the hit rates of each user, or with the reason why it did not run."""
    named: Row = {"contestant": contestant.name, "stage": contestant.stage}
    if (reason := contestant.missing(data)) is not None:
        say(f"{data.name}: {contestant.name}: {reason}")
        return {**named, "missing": reason}
    choice = _choice(data, contestant, cache)
    fits = [_fit(data, contestant, choice["chosen"], seed, cache) for seed in range(contestant.seeds)]
    seconds = {
        name: round(sum(fit[name] for fit in fits) / len(fits), 3) for name in ("seconds_fit", "seconds_recommend")
    }
    found = {**named, **choice, **seconds, **_metrics(data, fits, cache)}
    rates = ", ".join(f"at {k} {found[f'hit_rate@{k}']:.4f}" for k in SHOWN)
    say(f"{data.name}: {contestant.name}: hit rate {rates}")
    return found


def code_of(contestant: Contestant) -> str:
    """Return a digest of the code behind a contestant's recommendations; for the project's own, all of `ROOMS`."""
    here = Path(__file__).parent
    files = [here / "scoring.py", here / "ease.py", *contestant.files]
    files.append(Path(inspect.getfile(inspect.unwrap(contestant.fit))))
    if contestant.stage in {"ours", "source"}:
        package = Path(recommender.__path__[0])
        files += [file for room in ROOMS for file in sorted((package / room).rglob("*.py"))]
    return code_digest(files)


def _choice(data: Data, contestant: Contestant, cache: Cache) -> Row:
    inner = data.inner
    key = {
        **_key(contestant),
        "of": "choice",
        "events": digest(inner.train, inner.test),
        "titles": _titles_digest(data, contestant),
        "grid": [dict(params) for params in contestant.grid],
        "criterion": CRITERION,
    }
    return _kept(cache, key, f"{data.name}: {contestant.name} ...", lambda: choose(data, contestant))


def _fit(data: Data, contestant: Contestant, params: Params, seed: int, cache: Cache) -> Row:
    key: dict[str, object] = {
        **_key(contestant),
        "of": "fit",
        "events": digest(data.train),
        "users": hashlib.sha256(data.users.tobytes()).hexdigest(),
        "titles": _titles_digest(data, contestant),
        "params": dict(params),
        "seed": seed,
    }

    if contestant.timed is not None:
        key["times"] = hashlib.sha256(data.times.tobytes()).hexdigest()

    def make() -> Row:
        items, seconds = recommended_by(data, contestant, params, seed)
        return {**seconds, "recommended": packed(items)}

    return _kept(cache, key, f"{data.name}: {contestant.name}, seed {seed} ...", make)


def _metrics(data: Data, fits: list[Row], cache: Cache) -> Row:
    recommended = [fit["recommended"] for fit in fits]
    key = {
        "of": "metrics",
        "recommended": hashlib.sha256(json.dumps(recommended).encode()).hexdigest(),
        "events": data.ratings_digest,
        "code": [digest_of_sources([inspect.getsource(Rankings)]), code_digest([Path(measuring.__file__)])],
    }
    return _kept(cache, key, "", lambda: metrics(data, [unpacked(one) for one in recommended]))


def _kept(cache: Cache, key: Key, message: str, make: Callable[[], Row]) -> Row:
    """Return the cached result of a key; compute and store it if the cache has none."""
    found = cache.get(key)
    if found is None:
        if message:
            say(message)
        found = make()
        cache.put(key, found)
    return found


def _key(contestant: Contestant) -> dict[str, object]:
    names = PACKAGES if contestant.environment is HERE else PACKAGES_ELSEWHERE
    packages = sorted({*names, contestant.package} - {""})
    return {
        "contestant": contestant.name,
        "versions": {name: contestant.environment.version(name) for name in packages},
        "code": code_of(contestant),
    }


def _titles_digest(data: Data, contestant: Contestant) -> str:
    return hashlib.sha256("\0".join(data.titles).encode()).hexdigest() if contestant.uses_titles else ""
