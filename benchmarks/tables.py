"""Time and memory of the sources' item tables at 20 million events, and the size of the model folder.

There are two sizes: 2 million users, 826,108 items and 20 million events, and a tenth of all three. Users begin with
items drawn by popularity and continue with items of near numbers, as in a catalogue sorted by kind. Each source is
fitted with its defaults in a separate process. The measured peak memory of the process includes the events.
"""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

import numpy as np

from benchmarks.common import report, table
from recommender.artifacts import model_folder
from recommender.artifacts.model_folder import Model
from recommender.candidates import SOURCES
from recommender.candidates.factorization import Factorization
from recommender.candidates.implicit_mf import ImplicitMF
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable, Vocabulary
from recommender.hyperparameters import TrainConfig
from recommender.models.factors import Factors
from recommender.ranking.learned import LearnedRanking

SIZES = ((200_000, 82_611, 2_000_000), (2_000_000, 826_108, 20_000_000))  # users, items, events
P = ParamSpec("P")
T = TypeVar("T")
FITTED = ("popularity", "neighbours", "session_neighbours", "titles")
NEWEST = 1_700_000_000  # seconds since 1970
SECONDS = 5 * 365 * 86_400  # from the oldest event to the newest
NEAR = 40  # largest step between the item numbers of successive events
SESSION = 4  # events of a session, at most
WORDS = 30_000  # in the vocabulary of titles


@dataclass(frozen=True)
class Fit:
    """Seconds of one fit, and the peak memory of its process in bytes, before and after the fit."""

    wall: float
    cpu: float
    before: int
    peak: int


def main() -> None:
    """Fit every source at every size, save both pipelines at the largest size, and report."""
    rows = []
    for size in SIZES:
        for name in progress(FITTED, f"{size[2]:,} events"):
            fit = alone(fit_source, name, size)
            sizes = [f"{number:,}" for number in size]
            times = [f"{seconds:.0f} s" for seconds in (fit.wall, fit.cpu)]
            rows.append([name, *sizes, *times, f"{fit.before / 1e9:.2f} GB", f"{fit.peak / 1e9:.2f} GB"])
    auto, paper = alone(folder_sizes, SIZES[-1])
    report(
        "tables",
        "Each source is fitted in a separate process, with its defaults on two cores.",
        table(["", "users", "items", "events", "wall", "CPU", "memory before", "peak"], rows),
        f"At {SIZES[-1][2]:,} events the model folder has {auto / 1e6:,.0f} MB with `pipeline=auto` and "
        f"{paper / 1e6:,.0f} MB with `pipeline=paper`: a factor of {auto / paper:.2f}.",
    )


def alone(function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Call a function in a new process; return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **keywords).result()


def events(num_users: int, num_items: int, num_events: int) -> Interactions:
    """Return events, sorted by user and time."""
    random = np.random.default_rng(0)
    user = np.sort(random.integers(0, num_users, num_events))
    item = (num_items * random.random(num_events) ** 3).astype(np.int64)  # items with small numbers are popular
    follows = np.append(False, user[1:] == user[:-1]) & (random.random(num_events) < 0.6)
    steps = random.integers(-NEAR, NEAR + 1, num_events)
    for _ in range(3):  # an item near the one before; three passes make short chains
        item = np.where(follows, np.clip(np.roll(item, 1) + steps, 0, num_items - 1), item)
    time_of = np.sort(random.integers(0, SECONDS // 86_400, num_events // SESSION + 1))[
        random.permutation(num_events) // SESSION
    ]
    order = np.lexsort((time_of, user))
    return Interactions(
        Vocabulary.from_sorted([f"u{number:08d}" for number in range(num_users)]),
        Vocabulary.from_sorted([f"i{number:08d}" for number in range(num_items)]),
        user,
        item,
        None,
        NEWEST - SECONDS + time_of[order] * 86_400,
    )


def titles(num_items: int) -> list[str]:
    """Return a title of six words for each item; words with small numbers are common."""
    words = (WORDS * np.random.default_rng(1).random((num_items, 6)) ** 2).astype(np.int64)
    return [" ".join(f"word{word}" for word in row) for row in words.tolist()]


def fit_source(name: str, size: tuple[int, int, int]) -> Fit:
    """Fit a source in this process; return its time and memory."""
    context = FitContext(events(*size), titles=titles(size[1]) if name == "titles" else [])
    options = TrainConfig().of(SOURCES[name].Options)
    SOURCES[name].fit(FitContext(events(200, 100, 2_000), titles=titles(100)), options)  # imports, compiles
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    SOURCES[name].fit(context, options)
    return Fit(time.perf_counter() - wall, time.process_time() - cpu, before, peak())


def peak() -> int:
    """Return the peak of this process's memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def folder_sizes(size: tuple[int, int, int]) -> tuple[int, int]:
    """Return the bytes of the model folders of the pipelines auto and paper, with random embeddings."""
    num_users, num_items, _ = size
    data, names = events(*size), titles(num_items)
    context, auto, paper = FitContext(data, titles=names), TrainConfig(), TrainConfig(pipeline="paper")
    random = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray:
        return random.random(shape, np.float32)

    options = auto.of(Factorization.Options)
    factors = Factors(
        3.0, floats(num_users, options.embedding_dim), floats(num_users), floats(num_items, options.embedding_dim),
        np.arange(num_items, dtype=np.int32), floats(num_items), floats(num_items),
    )  # fmt: skip
    width = auto.of(ImplicitMF.Options).embedding_dim
    own = {
        "factorization": Factorization(factors, options, np.ones(num_items, bool)),
        "implicit_mf": ImplicitMF(floats(num_items, width), floats(width, width), auto.of(ImplicitMF.Options)),
    }
    own |= {name: SOURCES[name].fit(context, auto.of(SOURCES[name].Options)) for name in FITTED}
    common = (data.users, data.items, context.histories, StringTable.from_strings(names))
    features = {name: part.fit(context, paper.of(part.Options)) for name, part in paper.features.items()}
    kept = {name: own[name] for name in ("factorization", "popularity")}
    models = (
        Model(auto, *common, own, {}, LearnedRanking({"neighbours": 1.0})),
        Model(paper, *common, kept, features),
    )
    return tuple(bytes_of(model) for model in models)  # type: ignore[return-value]


def bytes_of(model: Model) -> int:
    """Return the size of a model's folder."""
    with TemporaryDirectory() as tmp:
        model_folder.save(model, Path(tmp))
        return model_folder.num_bytes(Path(tmp))


if __name__ == "__main__":
    main()
