"""Exactness: the top of the list equals that of sorting every score, ties by item number."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recommender.candidates.exact_search import ExactSearch
from recommender.components.query import Query
from recommender.models.factors import Factors


def factors_of(direction: NDArray[Any], line: NDArray[np.integer], scale: object, bias: object) -> Factors:
    return Factors(
        global_mean=3.0,
        user_embedding=np.zeros((1, direction.shape[1]), np.float32),
        user_bias=np.zeros(1, np.float32),
        item_direction=direction.astype(np.float32),
        item_direction_num=line.astype(np.int32),
        item_scale=np.asarray(scale, np.float32),
        item_bias=np.asarray(bias, np.float32),
    )


def sorted_by_score(score: NDArray[np.float64], seen: NDArray[np.integer], count: int) -> list[int]:
    unseen = np.setdiff1d(np.arange(len(score)), seen)
    return unseen[np.lexsort((unseen, -score[unseen]))][:count].tolist()


@given(st.integers(0, 10_000), st.integers(1, 700), st.integers(1, 8), st.integers(1, 800), st.data())
def test_the_top_is_exact_with_many_ties(seed: int, num_items: int, dim: int, count: int, data: st.DataObject) -> None:
    """Use small whole numbers: every score is exact in float64, and many are equal."""
    random = np.random.default_rng(seed)
    direction = random.integers(-2, 3, (5, dim))
    line = random.integers(5, size=num_items)
    scale, bias = random.integers(-2, 3, num_items), random.integers(-1, 2, num_items)
    user = random.integers(-2, 3, dim)
    seen = np.array(data.draw(st.lists(st.integers(0, num_items - 1), max_size=num_items)), np.int64)
    score = (direction[line] * scale[:, None] @ user + bias).astype(float)

    found, found_score = ExactSearch(factors_of(direction, line, scale, bias)).top(
        user.astype(np.float32), count, Query(exclude=seen)
    )
    assert found.tolist() == sorted_by_score(score, seen, count)
    assert found_score.tolist() == score[found].tolist()


@given(st.integers(0, 10_000), st.integers(1, 3000), st.integers(1, 150), st.integers(1, 200), st.floats(-6, 6))
def test_the_top_is_exact_if_float32_cannot_distinguish_the_scores(
    seed: int, num_items: int, dim: int, count: int, magnitude: float
) -> None:
    """Use items that differ only in the last digits, at any magnitude."""
    random = np.random.default_rng(seed)
    direction = random.standard_normal(dim) + 1e-7 * random.standard_normal((num_items, dim))
    scale, bias = np.full(num_items, 10.0**magnitude), random.choice([0, 1e-7, 1], num_items)
    factors = factors_of(direction, np.arange(num_items), scale, bias)
    user = random.standard_normal(dim).astype(np.float32)
    exact = factors.item_direction.astype(np.longdouble) * factors.item_scale[:, None] @ user.astype(np.longdouble)
    exact += factors.item_bias

    found, score = ExactSearch(factors).top(user, count)
    assert np.allclose(score, exact[found].astype(float), rtol=1e-12, atol=1e-12 * 10**magnitude)
    everything = factors.item_score(user, np.arange(num_items))
    assert found.tolist() == sorted_by_score(everything, np.empty(0, int), count)


def test_a_user_without_an_embedding_gets_the_items_of_highest_bias() -> None:
    factors = factors_of(np.ones((1, 2)), np.zeros(4, int), np.ones(4), [0, 2, 1, 2])
    found, score = ExactSearch(factors).top(np.zeros(2, np.float32), 3)
    assert found.tolist() == [1, 3, 2]
    assert score.tolist() == [2, 2, 1]


def test_if_every_item_is_seen_the_top_is_empty() -> None:
    factors = factors_of(np.ones((1, 2)), np.zeros(4, int), np.ones(4), np.zeros(4))
    assert ExactSearch(factors).top(np.ones(2, np.float32), 3, Query(exclude=np.arange(4)))[0].tolist() == []


def test_shared_directions_keep_the_top_exact() -> None:
    """Compare the lists of the same catalogue with and without shared directions."""
    random = np.random.default_rng(0)
    direction, line = random.integers(-3, 4, (20, 6)), random.integers(20, size=1000)
    scale, bias = random.integers(1, 4, 1000), random.integers(0, 3, 1000)
    shared = factors_of(direction, line, scale, bias)
    apart = replace(
        shared, item_direction=shared.item_direction[line], item_direction_num=np.arange(1000, dtype=np.int32)
    )
    user = random.integers(-3, 4, 6).astype(np.float32)
    assert ExactSearch(shared).top(user, 100)[0].tolist() == ExactSearch(apart).top(user, 100)[0].tolist()
