"""Contestants that need nothing but the project: its own pipeline stage by stage, popularity, titles, EASE."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.candidates.popularity import Popularity
from recommender.components.fit_context import FitContext
from recommender.components.query import Query
from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.evaluation.ranking import NO_ITEM, Items
from recommender.hyperparameters import TrainConfig
from recommender.models.fit import choose_iterations, fit
from recommender.models.options import FactorizationOptions
from recommender.pipeline.recommender import Recommender
from recommender.ranking.features.title_similarity import fit_titles
from recommender.training.fit_model import fit_model
from study.hits.contestants import Contestant, Params
from study.hits.ease import ease
from study.hits.scoring import DEPTH, Recommend, Users, by_scores, matrix

WEIGHTS = [{"rerank_weight": tenths / 10} for tenths in range(11)]
LAMBDAS = [{"lambda": value} for value in (10, 30, 100, 300, 1000)]


def pipeline(train: Interactions, titles: Sequence[str], params: Params) -> Recommend:
    """What is served: train.py's model with its defaults, but for `params`, behind the server's own code."""
    config = TrainConfig.from_hyperparameters(params, "study")
    recommender = Recommender(fit_model(config, FitContext(train, titles=titles)))
    return lambda users: filled([ranked for ranked, _, _ in recommender.recommend_batch(users, DEPTH, DEPTH)])


def item_bias(train: Interactions, _titles: Sequence[str], _params: Params) -> Recommend:
    """The recall of the same model for a user without an embedding: the same order for everybody."""
    config = FactorizationOptions()
    bias = fit(train, config, choose_iterations(train, config).num_iterations).item_bias
    return by_scores(matrix(train), lambda users: np.tile(bias, (len(users), 1)))


def popularity(train: Interactions, _titles: Sequence[str], _params: Params) -> Recommend:
    """The most rated items, as the server answers who is unknown."""
    popular = Popularity(np.bincount(train.item_num, minlength=len(train.items)).astype(np.int32))
    seen = matrix(train)
    return lambda users: filled([popular.top(Query(exclude=seen[user].indices), DEPTH).item_num for user in users])


def titles_alone(train: Interactions, titles: Sequence[str], _params: Params) -> Recommend:
    """The rerank's similarity over the whole catalogue; items without a title are never recommended."""
    vectors, histories = fit_titles(titles), Histories.from_interactions(train)
    everything = np.arange(len(train.items))
    has_title = vectors.known(everything)

    def scores(users: Users) -> NDArray[np.float64]:
        result = np.full((len(users), len(everything)), -np.inf)
        for row, user in zip(result, users.tolist(), strict=True):
            profile = vectors.profile(*histories.of(user))
            if profile is not None:
                row[has_title] = vectors.similarity(everything, profile)[has_title]
        return result

    return by_scores(matrix(train), scores)


def fit_ease(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
    """EASE of what was rated, however it was rated."""
    seen = matrix(train)
    return by_scores(seen, ease(seen, params["lambda"]))


def filled(lists: Sequence[NDArray[np.int64]]) -> Items:
    """(len(lists), DEPTH), -1 behind the end of each."""
    result = np.full((len(lists), DEPTH), NO_ITEM, np.int64)
    for row, items in zip(result, lists, strict=True):
        row[: len(items)] = items
    return result


POPULARITY = Contestant("popularity", "baseline", popularity)
OWN = (
    Contestant("ours: recall", "recall", pipeline, [{"rerank_weight": 0}]),
    Contestant("ours: recall, reranked by titles", "rerank", pipeline, [{"rerank_weight": 1}]),
    Contestant("ours: recall, reranked by a chosen weight", "rerank", pipeline, WEIGHTS),
    Contestant("item bias", "baseline", item_bias),
    POPULARITY,
    Contestant("EASE", "peer", fit_ease, LAMBDAS),
)
TITLES = Contestant("titles alone", "baseline", titles_alone)
