"""Orders of items that are the same for all users: trending items, and items to ask a new user about."""

import numpy as np

from recommender.artifacts.model_folder import Model
from recommender.candidates.fixed_order import FixedOrder
from recommender.candidates.popularity import Popularity
from recommender.candidates.topk import top_k

TRENDING, QUESTIONNAIRE = "trending", "questionnaire"
ORIGINS = {
    TRENDING: "popular items of the last weeks",
    QUESTIONNAIRE: "items to ask a new user about",
}


def questions(model: Model) -> FixedOrder:
    """Return the items to ask a new user about."""
    item_num = model.questionnaire
    score = np.zeros(len(model.items))
    score[item_num] = 1 - np.arange(len(item_num)) / max(len(item_num), 1)
    return FixedOrder(QUESTIONNAIRE, item_num, score, "the answer says much")


def trending(model: Model) -> FixedOrder:
    """Return the items by their recent number of events, as a share of the largest; O(items log items).

    A model without the source popularity counts the events of all time.
    """
    source = next((source for source in model.sources.values() if isinstance(source, Popularity)), None)
    count = model.num_events.astype(np.float64) if source is None else source.recent
    return FixedOrder(TRENDING, top_k(count, len(count)), count / (count.max() or 1.0), "popular in the last weeks")
