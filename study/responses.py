"""Responses of the server -> item numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.ranking import NO_ITEM, Items
from recommender.pipeline.recommendations import Recommendations
from recommender.pipeline.recommender import Recommender


def numbers_of(recommender: Recommender, response: Recommendations) -> list[int]:
    """Return the items of a response as numbers, best first."""
    found = [recommender.model.items.number(one.item_id) for one in response.items]
    return [number for number in found if number is not None]


def padded(lists: Sequence[Sequence[int] | NDArray[np.int64]], length: int) -> Items:
    """Return the lists as one array, (len(lists), length), filled with -1 after the end of each list."""
    result = np.full((len(lists), length), NO_ITEM, np.int64)
    for row, items in zip(result, lists, strict=True):
        row[: len(items)] = items[:length]
    return result
