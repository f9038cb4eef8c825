"""Surprise's SVD, the paper's reference."""

from collections.abc import Iterator

import numpy as np

from recommender.data.interactions import Interactions
from study.table5.steps import Contestant, Step

EPOCHS = (5, 10, 15, 20, 30, 40, 60, 80)
DEFAULT_EPOCHS = 20


def surprise_svd(num_factors: int, seed: int) -> Contestant:
    """Return Surprise's SVD with its defaults and with other numbers of epochs; each step is a separate fit."""
    from surprise import SVD, Dataset, Reader  # imported here: only this contestant needs Surprise

    def steps(train: Interactions, pairs: Interactions) -> Iterator[Step]:
        data = Dataset(Reader(rating_scale=(1, 5))).construct_trainset([(*row, None) for row in _triples(train)])
        user = np.array([data.to_inner_uid(number) for number in pairs.user_num.tolist()])
        item = np.array([data.to_inner_iid(number) for number in pairs.item_num.tolist()])
        for epochs in EPOCHS:
            algorithm = SVD(n_factors=num_factors, n_epochs=epochs, random_state=seed).fit(data)
            predicted = np.array([one.est for one in algorithm.test(_triples(pairs))])
            yield Step(epochs, predicted, data.global_mean + algorithm.bu[user] + algorithm.bi[item])

    return Contestant(steps, len(EPOCHS), len(EPOCHS), DEFAULT_EPOCHS)


def _triples(data: Interactions) -> list[tuple[int, int, float]]:
    return list(zip(data.user_num.tolist(), data.item_num.tolist(), data.ratings.tolist(), strict=True))
