"""Related items next to what users had next: `python -m study.related` writes results/related.md.

Each test user's newest train item is the given item. A hit is one of the user's test items among the first ten related
items. The peers are the `similar_items` of implicit, and the project's own tables without the learned ranking.
Validation inside train chooses the options of implicit's ALS; its tables have no option that matters for ten items.
study/requirements.txt installs implicit.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.candidates.base import Source
from recommender.common.files import write_text
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.evaluation.intervals import mean_estimate
from recommender.evaluation.ranking import Items, Rankings
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommendations import Event
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model
from study.common import RESULTS, machine, table
from study.data import Data, beauty, beauty_with_titles, retail_with_random_ties
from study.hits.libraries import THREADS
from study.hits.peers import NEIGHBOURS, grid
from study.hits.scoring import best, matrix
from study.responses import numbers_of, padded

K = 10
OURS = "ours: `item_id`"
ALS_GRID = grid(factors=(32, 64, 128, 256), alpha=(1, 10, 40))
TABLES = {**NEIGHBOURS, "number of users": "ItemItemRecommender"}
Related = Callable[[Items], Items]  # given items (n,) -> (n, K) item numbers, best first, then -1


def main() -> None:
    """Measure all data sets and write the table."""
    parts = [section(data, measure(data)) for data in (retail_with_random_ties(), beauty(), beauty_with_titles())]
    text = f"`python -m study.related` on {machine()}\n\n" + "\n\n".join(parts)
    write_text(RESULTS / "related.md", text + "\n")
    print(text)


def measure(data: Data) -> dict[str, Rankings]:
    """Return the hits of each contestant; each test user counts once."""
    given = newest_items(data)
    found: dict[str, Related] = {**ours(data)}
    for name, kind in TABLES.items():
        found[f"implicit, neighbours by {name}"] = neighbours(data, kind)
    chosen = choose_als(data.inner)
    options = ", ".join(f"{name} {value:g}" for name, value in chosen.items())
    found[f"implicit ALS, {options}"] = als(data, chosen)
    found["popular items"] = popular(data)
    return {name: hits(related, given, data) for name, related in progress([*found.items()], data.name)}


def hits(related: Related, given: Items, data: Data) -> Rankings:
    """Return the hits of the items that a contestant finds related; it computes each given item once."""
    unique, place = np.unique(given, return_inverse=True)
    with threadpool_limits(1, user_api="blas"):
        return Rankings.of(related(unique)[place], data.relevant)


def newest_items(data: Data) -> Items:
    """Return the newest train item of each test user, (num_users,); of events at the same time, the last row."""
    train = data.train
    order = np.lexsort((train.time, train.user_num))
    ends = np.searchsorted(train.user_num[order], data.users, side="right") - 1
    return np.asarray(train.item_num[order][ends], np.int64)


def ours(data: Data) -> dict[str, Related]:
    """Return the served response, and two simpler ways: neighbours first, and then neighbours by titles."""
    recommender = Recommender(fit_model(TrainConfig(), FitContext(data.train, titles=data.titles)))
    items, sources = recommender.model.items, recommender.model.sources

    def served(given: Items) -> Items:
        responses = [recommender.related(items.id(number), top_k=K) for number in given.tolist()]
        return padded([numbers_of(recommender, response) for response in responses], K)

    def completed(given: Items, source: Source) -> Items:
        lists = []
        for number in given.tolist():
            query = recommender.query("", [Event(items.id(number))])
            parts = [first(one, query) for one in (source, sources.get("titles")) if one is not None]
            lists.append([*dict.fromkeys(number for part in parts for number in part)])
        return padded(lists, K)

    found: dict[str, Related] = {OURS: served}
    for name in ("session_neighbours", "neighbours"):
        if name in sources:
            found[f"ours: {name}, then titles"] = partial(completed, source=sources[name])
    return found


def first(source: Source, query: Query) -> list[int]:
    """Return the first items of a source."""
    candidates = source.top(query, K)
    found: list[int] = [] if candidates is None else candidates.item_num.tolist()
    return found


def neighbours(data: Data, kind: str) -> Related:
    """Return `similar_items` of a table of implicit."""
    from implicit import nearest_neighbours

    model = getattr(nearest_neighbours, kind)(K=100, num_threads=THREADS)
    with warnings.catch_warnings(action="ignore"):  # implicit warns that its weights are not in CSR format
        model.fit(matrix(data.train).astype(np.float64), show_progress=False)
    return lambda given: without_given(given, model.similar_items(given, N=K + 1)[0])


def als(data: Data, params: Mapping[str, float | str]) -> Related:
    """Return `similar_items` of implicit's ALS: the cosine of the items' vectors."""
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(**params, num_threads=THREADS, random_state=0)
    with threadpool_limits(1, user_api="blas"):  # implicit starts its own threads
        model.fit(matrix(data.train), show_progress=False)
    return lambda given: without_given(given, model.similar_items(given, N=K + 1)[0])


def choose_als(inner: Data) -> Mapping[str, float | str]:
    """Return the options with the highest hit rate on validation."""
    given = newest_items(inner)
    return max(ALS_GRID, key=lambda params: hits(als(inner, params), given, inner).hit_rate(K).mean())


def popular(data: Data) -> Related:
    """Return the items with the most events, without the given one."""
    count = np.bincount(data.train.item_num, minlength=len(data.train.items)).astype(np.float64)
    most = best(count[None], K + 1)
    return lambda given: without_given(given, np.tile(most, (len(given), 1)))


def without_given(given: Items, found: NDArray[np.integer]) -> Items:
    """Return the first items of each row without the given item."""
    rows = zip(given.tolist(), found.tolist(), strict=True)
    return padded([[number for number in row if number != own] for own, row in rows], K)


def section(data: Data, found: Mapping[str, Rankings]) -> str:
    """Return the table of a data set."""
    own = found[OURS].hit_rate(K)
    rows = []
    for name, rankings in found.items():
        values = rankings.hit_rate(K)
        rate, lead = mean_estimate(values), mean_estimate(own - values)
        shown = "" if name == OURS else f"{lead.value:.4f} ({lead.low:.4f} to {lead.high:.4f})"
        rows.append([name, f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f})", shown])
    return f"{data.name}: {len(own):,} users.\n\n" + table(["", f"HR@{K}", "lead of ours, in pairs"], rows)


if __name__ == "__main__":
    main()
