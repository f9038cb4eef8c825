"""Quality on planted tastes: the pipeline auto hits more often than popularity and than the paper's pipeline."""

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
    """Return the events with IDs, in the form for train()."""
    users = [data.users.id(number) for number in data.user_num.tolist()]
    items = [data.items.id(number) for number in data.item_num.tolist()]
    table = pd.DataFrame({"user_id": users, "item_id": items, "rating": data.ratings.astype(float)})
    return table if data.seconds_per_unit is None else table.assign(timestamp=data.time)


def hit_rate(recommender: Recommender, test: Interactions, order: str, depth: int) -> float:
    """Return the share of users with their held-out item among the first of an order."""
    hits = []
    for user, item in zip(test.user_num.tolist(), test.item_num.tolist(), strict=True):
        found = recommender.orders_by_name(test.users.id(user), depth)[order]
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
    """Check users with four of five items of their taste; the next item is another one of it."""
    split = Split(TASTES.train, TASTES.train.where(np.zeros(len(TASTES.train), bool)), TASTES.test)
    titles = pd.DataFrame({"item_id": list(TASTES.train.items), "title": TASTES.titles})
    rates = hit_rates(split, titles, depth=5)
    assert rates["auto"] >= 0.85
    assert rates["auto"] > rates["paper"] >= rates["popular"]  # all ratings are equal: their order is popularity's


@pytest.mark.parametrize("seed", [0, 1])
def test_auto_hits_more_often_than_popularity_and_the_paper(seed: int) -> None:
    made = generate(num_users=300, num_items=200, num_ratings=4_000, seed=seed)
    columns = {"user_id": made.user_id[made.user_num], "item_id": made.parent_asin[made.item_num]}
    events = pd.DataFrame({**columns, "rating": made.rating.astype(float), "timestamp": made.timestamp})
    titles = pd.DataFrame({"item_id": made.parent_asin, "title": [title or "" for title in made.title]})
    rates = hit_rates(split_leave_one_out(Interactions.from_frame(events)), titles, depth=20)
    assert 0.25 < rates["auto"] < 0.4
    assert rates["auto"] > 1.2 * rates["popular"]
    assert rates["auto"] > 2 * rates["paper"]
