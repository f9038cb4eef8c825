"""The contestants that need only the project's packages, on planted tastes."""

from dataclasses import replace

import numpy as np
import pytest
from support.tastes import TASTES

from recommender.evaluation.ranking import Rankings
from study.data import Data
from study.hits.baselines import BASELINES, POPULARITY, TITLES
from study.hits.contestants import Contestant
from study.hits.recommenders import OUR_CONTESTANTS
from study.hits.scoring import DEPTH, matrix

ALL = (*OUR_CONTESTANTS, *BASELINES)
NAMED = {contestant.name: contestant for contestant in ALL if contestant.missing(TASTES) is None}


def test_only_session_neighbours_does_not_suit_data_without_times() -> None:
    assert [contestant.name for contestant in ALL if contestant.name not in NAMED] == ["ours: session_neighbours alone"]


def recommended_by(contestant: Contestant, data: Data) -> np.ndarray:
    return contestant.fitted(data, contestant.grid[-1], 0)(data.users)


@pytest.mark.parametrize("name", NAMED)
def test_users_get_items_of_the_catalogue_once_each_and_no_seen_items(name: str) -> None:
    recommended = recommended_by(NAMED[name], TASTES)
    assert recommended.shape == (len(TASTES.users), DEPTH)
    Rankings.of(recommended, TASTES.relevant)  # raises if a list has an item twice
    seen = matrix(TASTES.train).toarray() > 0
    for user, row in zip(TASTES.users, recommended, strict=True):
        assert not seen[user, row[row >= 0]].any()
        assert (row < len(TASTES.train.items)).all()


@pytest.mark.parametrize("name", ["EASE", "titles alone"])
def test_contestants_that_learn_tastes_rank_items_of_the_users_taste_first(name: str) -> None:
    recommended = recommended_by(NAMED[name], TASTES)
    unseen = 20 - np.diff(matrix(TASTES.train).indptr)[TASTES.users]  # items of the user's taste
    for user, row, count in zip(TASTES.users, recommended, unseen, strict=True):
        assert ((row[:count] + user) % 2 == 0).all()


def test_popularity_recommends_popular_items_first() -> None:
    count = np.bincount(TASTES.train.item_num)
    for row in recommended_by(POPULARITY, TASTES):
        assert (np.diff(count[row[row >= 0]]) <= 0).all()


def test_titles_find_cold_items_but_no_item_without_a_common_word() -> None:
    cold = replace(TASTES, train=TASTES.train.where(TASTES.train.item_num >= 10))
    recommended = recommended_by(TITLES, cold)
    assert np.isin(np.arange(10), recommended).all()
    untitled = replace(TASTES, titles=["", *TASTES.titles[1:]])
    assert not (recommended_by(TITLES, untitled) == 0).any()
