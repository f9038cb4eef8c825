"""Contestants of other projects on planted tastes; each is skipped where its package is not installed."""

import os

import numpy as np
import pytest
from support.tastes import TASTES

from recommender.evaluation.ranking import Rankings
from study.hits.contestants import Contestant
from study.hits.measuring import relevant
from study.hits.peers import LIGHTFM, PEERS, grid
from study.hits.run import installed
from study.hits.scoring import matrix

MUST_FIND = {"implicit kNN, cosine", "implicit kNN, TF-IDF", "implicit kNN, BM25", "LightFM, WARP", "implicit ALS"}


@pytest.fixture(params=PEERS, ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Contestant:
    contestant: Contestant = request.param
    if installed(contestant.package) is None:
        if "REQUIRE_PEERS" in os.environ and contestant.package != LIGHTFM:  # which is there where it compiles
            pytest.fail(f"REQUIRE_PEERS is set and {contestant.package} is not installed")
        pytest.skip(f"{contestant.package} is not installed: pip install -r study/requirements.txt")
    return contestant


def test_a_peer_recommends_unseen_items_once_each_and_where_it_learns_tastes_those(peer: Contestant) -> None:
    recommended = peer.fit(TASTES.train, TASTES.titles, peer.grid[-1])(TASTES.test.user_num)
    rankings = Rankings.of(recommended, relevant(TASTES))  # refuses an item twice
    seen = matrix(TASTES.train).toarray() > 0
    for user, row in zip(TASTES.test.user_num, recommended, strict=True):
        assert not seen[user, row[row >= 0]].any()
    if peer.name in MUST_FIND:
        first = recommended[:, 0]
        assert ((first + TASTES.test.user_num) % 2 == 0).mean() > 0.9
        assert rankings.hit_rate(10).mean() > 0.9


def test_the_same_fit_gives_the_same_recommendations(peer: Contestant) -> None:
    first, second = (peer.fit(TASTES.train, TASTES.titles, peer.grid[0])(TASTES.test.user_num) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_grid_is_every_combination() -> None:
    assert grid(a=(1, 2), b=(3,)) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
