"""A band of quality on planted tastes: the pipeline auto hits more often than what is popular and than the paper's."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.tastes import TASTES

from recommender.data.interactions import Interactions
from recommender.data.splits import Split, split_leave_one_out
from recommender.pipeline.recommender import Recommender
from recommender.synthetic.generate import generate
from recommender.training.api import train

SIZES: dict[str, Any] = {"embedding_dim": 16, "implicit_mf_embedding_dim": 16}


def frame(data: Interactions) -> pd.DataFrame:
    """Return the events with IDs, as train() takes them."""
    users = [data.users.id(number) for number in data.user_num.tolist()]
    items = [data.items.id(number) for number in data.item_num.tolist()]
    table = pd.DataFrame({"user_id": users, "item_id": items, "rating": data.ratings.astype(float)})
    return table if data.seconds_per_unit is None else table.assign(timestamp=data.time)


def hit_rate(recommender: Recommender, test: Interactions, order: str, depth: int) -> float:
    """Return the share of the users whose held-out item is among the first of an order."""
    hits = []
    for user, item in zip(test.user_num.tolist(), test.item_num.tolist(), strict=True):
        found = recommender.orders(test.users.id(user), depth)[order]
        hits.append(recommender.model.items.number(test.items.id(item)) in found.tolist())
    return float(np.mean(hits))


def hit_rates(split: Split, titles: pd.DataFrame, depth: int) -> dict[str, float]:
    auto, paper = (train(frame(split.train), titles, pipeline=name, **SIZES) for name in ("auto", "paper"))
    return {
        "auto": hit_rate(auto, split.test, "final", depth),
        "paper": hit_rate(paper, split.test, "final", depth),
        "popular": hit_rate(auto, split.test, "popularity", depth),
    }


def test_two_tastes_are_told_apart() -> None:
    """A user has had four in five of the 20 items of the own taste; another of them is next."""
    split = Split(TASTES.train, TASTES.train.where(np.zeros(len(TASTES.train), bool)), TASTES.test)
    titles = pd.DataFrame({"item_id": list(TASTES.train.items), "title": TASTES.titles})
    rates = hit_rates(split, titles, depth=5)
    assert rates["auto"] >= 0.85
    assert rates["auto"] > rates["paper"] >= rates["popular"]  # all ratings are equal: their order is popularity's


@pytest.mark.parametrize("seed", [0, 1])
def test_on_a_synthetic_shop_it_hits_more_often_than_the_popular_items_and_than_the_paper(seed: int) -> None:
    made = generate(num_users=300, num_items=200, num_ratings=4_000, seed=seed)
    columns = {"user_id": made.user_id[made.user_num], "item_id": made.parent_asin[made.item_num]}
    events = pd.DataFrame({**columns, "rating": made.rating.astype(float), "timestamp": made.timestamp})
    titles = pd.DataFrame({"item_id": made.parent_asin, "title": [title or "" for title in made.title]})
    rates = hit_rates(split_leave_one_out(Interactions.from_frame(events)), titles, depth=20)
    assert 0.25 < rates["auto"] < 0.4
    assert rates["auto"] > 1.2 * rates["popular"]
    assert rates["auto"] > 2 * rates["paper"]
