"""Contestants of other projects on planted tastes; skipped if their package is not installed."""

import os

import numpy as np
import pytest
from support.tastes import TASTES

from recommender.evaluation.ranking import Rankings
from study.data import Data
from study.hits.contestants import Contestant
from study.hits.peers import LIGHTFM, PEERS, RECTOOLS, grid
from study.hits.scoring import matrix

MUST_FIND = {"implicit kNN, cosine", "implicit kNN, TF-IDF", "implicit kNN, BM25", "LightFM, WARP", "implicit ALS"}


@pytest.fixture(params=[peer for peer in PEERS if peer.package != RECTOOLS], ids=lambda peer: peer.name)
def peer(request: pytest.FixtureRequest) -> Contestant:
    """Return each peer; skip those that are not installed, or fail if REQUIRE_PEERS is set."""
    contestant: Contestant = request.param
    if contestant.missing(TASTES) is not None:
        if "REQUIRE_PEERS" in os.environ and contestant.package != LIGHTFM:  # LightFM needs a C compiler
            pytest.fail(f"REQUIRE_PEERS is set, but {contestant.package} is not installed")
        pytest.skip(f"{contestant.package} is not installed: pip install -r study/requirements.txt")
    return contestant


def test_a_peer_recommends_unseen_items_once_each_and_finds_learnable_tastes(peer: Contestant) -> None:
    recommended = peer.fitted(TASTES, peer.grid[-1], 0)(TASTES.users)
    rankings = Rankings.of(recommended, TASTES.relevant)  # raises if a list has an item twice
    seen = matrix(TASTES.train).toarray() > 0
    for user, row in zip(TASTES.users, recommended, strict=True):
        assert not seen[user, row[row >= 0]].any()
    if peer.name in MUST_FIND:
        first = recommended[:, 0]
        assert ((first + TASTES.users) % 2 == 0).mean() > 0.9
        assert rankings.hit_rate(10).mean() > 0.9


def test_the_same_fit_gives_the_same_recommendations(peer: Contestant) -> None:
    first, second = (peer.fitted(TASTES, peer.grid[0], 0)(TASTES.users) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_contestant_with_several_seeds_differs_between_them(peer: Contestant) -> None:
    first, second = (peer.fitted(TASTES, peer.grid[0], seed)(TASTES.users) for seed in (0, 1))
    assert np.array_equal(first, second) == (peer.seeds == 1)


def test_no_peer_recommends_an_item_without_events(peer: Contestant) -> None:
    train = TASTES.train.where(TASTES.train.item_num != 7)
    data = Data("without item 7", train, TASTES.test, TASTES.titles)
    assert (peer.fitted(data, peer.grid[0], 0)(data.users) != 7).all()


def test_a_grid_has_every_combination() -> None:
    assert grid(a=(1, 2), b=(3,)) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
