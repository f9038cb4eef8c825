"""Contestants of other projects, each fitted by its own code; study/requirements.txt installs them.

Who has rated an item counts, not the rating, but for Surprise, which predicts ratings. The order is made by the same
code for all of them, from their own vectors or similarities. One thread where more would give another result each time.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from recommender.data.interactions import Interactions
from study.hits.contestants import Contestant, Fit, Params
from study.hits.scoring import Recommend, by_factors, by_scores, matrix

SEED = 0
THREADS = os.cpu_count() or 1


def surprise_svd(train: Interactions, _titles: Sequence[str], _params: Params) -> Recommend:
    """Surprise's SVD with its defaults, 100 factors; an item without a rating has bias and vector 0, as it predicts."""
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame({"user": train.user_num, "item": train.item_num, "rating": train.ratings})
    trainset = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()
    model = SVD(random_state=SEED).fit(trainset)
    user = np.zeros((len(train.users), model.n_factors))
    item, bias = np.zeros((len(train.items), model.n_factors)), np.zeros(len(train.items))
    user[[trainset.to_raw_uid(number) for number in range(trainset.n_users)]] = model.pu
    numbers = [trainset.to_raw_iid(number) for number in range(trainset.n_items)]
    item[numbers], bias[numbers] = model.qi, model.bi
    return by_factors(matrix(train), user, item, bias)


def implicit_als(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
    """Least squares of confidences."""
    from implicit.als import AlternatingLeastSquares

    return _factors_of(lambda: AlternatingLeastSquares(**params, num_threads=THREADS, random_state=SEED), train)


def implicit_bpr(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
    """Bayesian personalized ranking; the item's bias is one of its factors."""
    from implicit.bpr import BayesianPersonalizedRanking

    return _factors_of(lambda: BayesianPersonalizedRanking(**params, num_threads=1, random_state=SEED), train)


def _factors_of(make: Callable[[], Any], train: Interactions) -> Recommend:
    seen = matrix(train)
    with threadpool_limits(1, user_api="blas"):  # its threads are its own
        model = make()
        model.fit(seen, show_progress=False)
    return by_factors(seen, model.user_factors, model.item_factors)


def implicit_neighbours(name: str) -> Fit:
    """A fit of implicit's item-kNN of this class; items that no neighbour leads to are not recommended."""

    def fit(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
        from implicit import nearest_neighbours

        seen = matrix(train)
        model = getattr(nearest_neighbours, name)(**params, num_threads=THREADS)
        with warnings.catch_warnings(action="ignore"):  # that its own weights are not in rows
            model.fit(seen, show_progress=False)

        def scores(users: np.ndarray) -> np.ndarray:
            score = (seen[users] @ model.similarity).toarray()
            score[score <= 0] = -np.inf
            return score

        return by_scores(seen, scores)

    return fit


def lightfm_warp(train: Interactions, _titles: Sequence[str], params: Params) -> Recommend:
    """LightFM with the WARP loss, of ids alone."""
    from lightfm import LightFM

    seen = matrix(train)
    model = LightFM(no_components=int(params["no_components"]), loss="warp", random_state=SEED)
    model.fit(seen.tocoo(), epochs=int(params["epochs"]), num_threads=1)
    bias, item = model.get_item_representations()
    return by_factors(seen, model.get_user_representations()[1], item, bias)


def grid(**values: Sequence[float]) -> list[Params]:
    """Every combination, in the order of the names."""
    return [dict(zip(values, some, strict=True)) for some in product(*values.values())]


SURPRISE, IMPLICIT, LIGHTFM = "scikit-surprise", "implicit", "rectools-lightfm"
ALS_GRID = grid(factors=(32, 64, 128), alpha=(1, 10, 40, 160), regularization=(1, 50))
BPR_GRID = grid(learning_rate=(0.01, 0.1), iterations=(50, 200))
NEIGHBOUR_GRID = grid(K=(20, 100, 500))
LIGHTFM_GRID = grid(no_components=(16, 64, 128), epochs=(5, 20, 50))
PEERS = (
    Contestant("Surprise SVD", "peer", surprise_svd, package=SURPRISE),
    Contestant("implicit ALS", "peer", implicit_als, ALS_GRID, IMPLICIT),
    Contestant("implicit BPR", "peer", implicit_bpr, BPR_GRID, IMPLICIT),
    Contestant("implicit kNN, cosine", "peer", implicit_neighbours("CosineRecommender"), NEIGHBOUR_GRID, IMPLICIT),
    Contestant("implicit kNN, TF-IDF", "peer", implicit_neighbours("TFIDFRecommender"), NEIGHBOUR_GRID, IMPLICIT),
    Contestant("implicit kNN, BM25", "peer", implicit_neighbours("BM25Recommender"), NEIGHBOUR_GRID, IMPLICIT),
    Contestant("LightFM, WARP", "peer", lightfm_warp, LIGHTFM_GRID, LIGHTFM),
)
