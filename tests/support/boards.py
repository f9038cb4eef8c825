"""Small sets of ratings for the solvers, made from user and item numbers."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from recommender.data.interactions import Interactions


def interactions(user: ArrayLike, item: ArrayLike, rating: ArrayLike) -> Interactions:
    frame = pd.DataFrame({"user_id": user, "item_id": item, "rating": rating})
    frame = frame.astype({"user_id": int, "item_id": int})
    frame["user_id"] = frame["user_id"].map("u{:05d}".format)
    frame["item_id"] = frame["item_id"].map("i{:05d}".format)
    return Interactions.from_frame(frame)


def random_interactions(num_users: int, num_items: int, num_ratings: int, seed: int = 0) -> Interactions:
    random = np.random.default_rng(seed)
    # Skewed, so that some rows have one rating and some have more ratings than the embedding size.
    user = (num_users * random.random(num_ratings) ** 2).astype(int)
    item = (num_items * random.random(num_ratings) ** 2).astype(int)
    return interactions(user, item, random.integers(1, 6, num_ratings))


def checkerboard(
    size: int, hidden_share: float
) -> tuple[Interactions, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the known ratings of a board, and users, items and ratings of the hidden ones.

    User u rates item i 5 if u + i is even, and 1 otherwise.
    """
    user, item = np.divmod(np.arange(size * size), size)
    rating = np.where((user + item) % 2 == 0, 5, 1)
    hidden = np.random.default_rng(0).random(size * size) < hidden_share
    return interactions(user[~hidden], item[~hidden], rating[~hidden]), user[hidden], item[hidden], rating[hidden]
