"""Data with two planted tastes, which a contestant can learn only from the pairs of user and item."""

import numpy as np
from support.boards import interactions

from recommender.data.splits import split_leave_one_out
from study.data import Data

SIZE = 40


def two_tastes() -> Data:
    """Return data in which user u rates most items i with even u + i, and no others; titles name an item's taste."""
    random = np.random.default_rng(0)
    user, item = np.divmod(random.permutation(SIZE * SIZE), SIZE)  # so that the last item differs from user to user
    rated = ((user + item) % 2 == 0) & (random.random(SIZE * SIZE) < 0.8)
    split = split_leave_one_out(interactions(user[rated], item[rated], np.full(rated.sum(), 5)))
    titles = [f"{'silk dress' if number % 2 == 0 else 'wool scarf'} number{number}" for number in range(SIZE)]
    return Data("tastes", split.train, split.test, titles)


TASTES = two_tastes()
