"""The contestants that need nothing but the project, on planted tastes."""

from dataclasses import replace

import numpy as np
import pytest
from support.tastes import TASTES

from recommender.evaluation.ranking import Rankings
from study.data import Data
from study.hits.contestants import Contestant
from study.hits.measuring import relevant
from study.hits.recommenders import OWN, POPULARITY, TITLES, WEIGHTS, pipeline
from study.hits.scoring import DEPTH, matrix

NAMED = {contestant.name: contestant for contestant in (*OWN, TITLES)}


def recommended_by(contestant: Contestant, data: Data) -> np.ndarray:
    return contestant.fit(data.train, data.titles, contestant.grid[-1])(data.test.user_num)


@pytest.mark.parametrize("name", NAMED)
def test_everybody_gets_items_of_the_catalogue_once_each_and_none_that_they_have_seen(name: str) -> None:
    recommended = recommended_by(NAMED[name], TASTES)
    assert recommended.shape == (len(TASTES.test), DEPTH)
    Rankings.of(recommended, relevant(TASTES))  # refuses an item twice
    seen = matrix(TASTES.train).toarray() > 0
    for user, row in zip(TASTES.test.user_num, recommended[recommended[:, 0] >= 0], strict=True):
        assert not seen[user, row[row >= 0]].any()
        assert (row[row >= 0] < len(TASTES.train.items)).all()


@pytest.mark.parametrize("name", ["EASE", "titles alone"])
def test_who_looks_at_tastes_finds_every_hidden_item_before_those_of_the_other_taste(name: str) -> None:
    recommended = recommended_by(NAMED[name], TASTES)
    hidden = 20 - np.diff(matrix(TASTES.train).indptr)[TASTES.test.user_num]  # of one's own taste, unseen
    for user, row, count in zip(TASTES.test.user_num, recommended, hidden, strict=True):
        assert ((row[:count] + user) % 2 == 0).all()


def test_popularity_is_the_same_order_for_everybody() -> None:
    count = np.bincount(TASTES.train.item_num)
    for row in recommended_by(POPULARITY, TASTES):
        assert (np.diff(count[row[row >= 0]]) <= 0).all()


def test_a_rerank_changes_the_order_of_what_recall_found_and_nothing_else() -> None:
    recall, reranked = (
        pipeline(TASTES.train, TASTES.titles, {"rerank_weight": weight})(TASTES.test.user_num) for weight in (0, 1)
    )
    assert (np.sort(recall) == np.sort(reranked)).all()
    assert (recall != reranked).any()


def test_without_titles_every_weight_is_the_order_of_recall() -> None:
    untitled = replace(TASTES, titles=[""] * len(TASTES.titles))
    first, *others = (
        pipeline(untitled.train, untitled.titles, params)(untitled.test.user_num) for params in WEIGHTS[::5]
    )
    assert all((first == other).all() for other in others)
