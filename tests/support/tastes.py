"""Two tastes of which nothing but who rated what tells: the planted answer of every contestant."""

import numpy as np
from support.boards import interactions

from recommender.data.splits import split_leave_one_out
from study.data import Data

SIZE = 40


def two_tastes() -> Data:
    """User u rates items i of even u + i alone, most of them; titles say which of the two an item is of."""
    random = np.random.default_rng(0)
    user, item = np.divmod(random.permutation(SIZE * SIZE), SIZE)  # of each user another item is the last
    rated = ((user + item) % 2 == 0) & (random.random(SIZE * SIZE) < 0.8)
    split = split_leave_one_out(interactions(user[rated], item[rated], np.full(rated.sum(), 5)))
    titles = [f"{'silk dress' if number % 2 == 0 else 'wool scarf'} number{number}" for number in range(SIZE)]
    return Data("tastes", split.train, split.test, titles)


TASTES = two_tastes()
