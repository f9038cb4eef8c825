"""Fits of other projects with their own code; study/requirements.txt installs them.

They get pairs of user and item without ratings, except Surprise, which predicts ratings. The same code ranks the items
for all of them, by their own embeddings or similarities. A fit uses one thread if its result varies with more.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from recommender.data.interactions import Interactions
from study.hits.contestants import Fit, Params
from study.hits.scoring import Recommend, by_factors, by_scores, matrix

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def surprise_svd(train: Interactions, _titles: Sequence[str], _params: Params, seed: int) -> Recommend:
    """Fit Surprise's SVD with its defaults, 100 factors; items without ratings get bias and vector 0, as there."""
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame({"user": train.user_num, "item": train.item_num, "rating": train.ratings})
    trainset = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()
    model = SVD(random_state=seed).fit(trainset)
    user = np.zeros((len(train.users), model.n_factors))
    item, bias = np.zeros((len(train.items), model.n_factors)), np.zeros(len(train.items))
    user[[trainset.to_raw_uid(number) for number in range(trainset.n_users)]] = model.pu
    numbers = [trainset.to_raw_iid(number) for number in range(trainset.n_items)]
    item[numbers], bias[numbers] = model.qi, model.bi
    return by_factors(matrix(train), user, item, bias)


def implicit_als(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
    """Fit implicit's ALS: least squares on confidences."""
    from implicit.als import AlternatingLeastSquares

    return _factors_of(lambda: AlternatingLeastSquares(**params, num_threads=THREADS, random_state=seed), train)


def implicit_bpr(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
    """Fit implicit's Bayesian personalized ranking; one of the factors is the item bias."""
    from implicit.bpr import BayesianPersonalizedRanking

    return _factors_of(lambda: BayesianPersonalizedRanking(**params, num_threads=1, random_state=seed), train)


def _factors_of(make: Callable[[], Any], train: Interactions) -> Recommend:
    seen = matrix(train)
    with threadpool_limits(1, user_api="blas"):  # implicit starts its own threads
        model = make()
        model.fit(seen, show_progress=False)
    return by_factors(seen, model.user_factors, model.item_factors)


def implicit_neighbours(name: str) -> Fit:
    """Return the fit of this class of implicit's item-kNN; it recommends only items with a neighbour in the history."""

    def fit(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
        from implicit import nearest_neighbours

        seen = matrix(train)
        model = getattr(nearest_neighbours, name)(**params, num_threads=THREADS)
        with warnings.catch_warnings(action="ignore"):  # implicit warns that its weights are not in CSR format
            model.fit(seen, show_progress=False)

        def scores(users: np.ndarray) -> np.ndarray:
            score = (seen[users] @ model.similarity).toarray()
            score[score <= 0] = -np.inf
            return score

        return by_scores(seen, scores)

    return fit


def lightfm_warp(train: Interactions, _titles: Sequence[str], params: Params, seed: int) -> Recommend:
    """Fit LightFM with the WARP loss on IDs only, without features."""
    from lightfm import LightFM

    seen = matrix(train)
    model = LightFM(no_components=int(params["no_components"]), loss="warp", random_state=seed)
    model.fit(seen.tocoo(), epochs=int(params["epochs"]), num_threads=1)
    bias, item = model.get_item_representations()
    return by_factors(seen, model.get_user_representations()[1], item, bias)
