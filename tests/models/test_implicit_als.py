"""Weighted least squares on events, compared with dense normal equations over all users and items."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recommender.data.histories import row_offsets
from recommender.data.interactions import Interactions
from recommender.models.implicit_als import implicit_als, solve

Matrix = NDArray[np.float64]
DIM = 5


def dense_solution(table: Matrix, items: list[int], extra: list[float], regularization: float) -> Matrix:
    """Minimize the sum over ALL items of c (p - x.y)^2 plus the penalty, by the normal equations."""
    confidence, preference = np.ones(len(table)), np.zeros(len(table))
    confidence[items] += extra
    preference[items] = 1
    left = table.T @ (confidence[:, None] * table) + regularization * np.eye(table.shape[1])
    return np.asarray(np.linalg.solve(left, table.T @ (confidence * preference)))


@settings(max_examples=60)
@given(
    st.lists(st.sets(st.integers(0, 19)), min_size=1, max_size=6),
    st.integers(0, 1000),
    st.sampled_from([0.1, 1.0, 20.0]),
    st.sampled_from([0.5, 40.0]),
)
def test_each_row_is_the_solution_of_the_dense_normal_equations(
    rows: list[set[int]], seed: int, regularization: float, confidence: float
) -> None:
    """Try rows of any length, shorter and longer than the embedding, with weights. An empty row is 0."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((20, DIM)).astype(np.float32)
    items = [sorted(row) for row in rows]
    extra = [(confidence * random.uniform(0.1, 1.0, len(row))).tolist() for row in items]
    offsets = row_offsets(np.repeat(np.arange(len(rows)), [len(row) for row in items]), len(rows))
    other_num = np.array([item for row in items for item in row], np.int64)
    weights = torch.tensor([value for row in extra for value in row], dtype=torch.float32)
    found = solve(torch.tensor(table), offsets, other_num, weights, regularization).numpy()
    expected = [dense_solution(table.astype(float), *row, regularization) for row in zip(items, extra, strict=True)]
    assert np.allclose(found, expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("length", [DIM - 1, DIM, DIM + 1])
def test_a_row_may_be_shorter_as_long_or_longer_than_the_embedding(length: int) -> None:
    table = np.random.default_rng(0).standard_normal((20, DIM)).astype(np.float32)
    items = list(range(length))
    weights = torch.full((length,), 4.0)
    found = solve(torch.tensor(table), np.array([0, length]), np.arange(length), weights, 0.5)[0].numpy()
    assert np.allclose(found, dense_solution(table.astype(float), items, [4.0] * length, 0.5), atol=1e-4)


def interactions(
    user: NDArray[np.int64], item: NDArray[np.int64], weight: NDArray[np.float64] | None = None
) -> Interactions:
    """Return the pairs of events."""
    frame = pd.DataFrame({"user_id": user, "item_id": item})
    frame = frame.assign(user_id=frame["user_id"].map("u{:03d}".format), item_id=frame["item_id"].map("i{:03d}".format))
    return Interactions.from_frame(frame if weight is None else frame.assign(weight=weight)).pairs()


def loss(pairs: Interactions, item: Matrix, extra: float, regularization: float) -> float:
    """Return the loss of the item table with the best user vectors for it."""
    weight = np.ones(len(pairs)) if pairs.weight is None else pairs.weight / pairs.weight.max()
    total = regularization * float((item**2).sum())
    for user in range(len(pairs.users)):
        own = pairs.user_num == user
        items, confidence = pairs.item_num[own].tolist(), (extra * weight[own]).tolist()
        vector = dense_solution(item, items, confidence, regularization)
        c, p = np.ones(len(item)), np.zeros(len(item))
        c[items] += confidence
        p[items] = 1
        total += float((c * (p - item @ vector) ** 2).sum() + regularization * (vector**2).sum())
    return total


@pytest.mark.parametrize("weighted", [False, True])
def test_no_sweep_increases_the_loss(weighted: bool) -> None:
    random = np.random.default_rng(0)
    user, item = random.integers(0, 25, 200), random.integers(0, 30, 200)
    pairs = interactions(user, item, random.choice([1.0, 3.0], 200) if weighted else None)
    tables = [implicit_als(pairs, 4, 10.0, 1.0, sweeps, 0)[0].astype(float) for sweeps in (1, 2, 4, 8)]
    losses = [loss(pairs, table, 10.0, 1.0) for table in tables]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.99 * losses[0]


def test_the_second_result_is_the_inverse_of_the_regularized_gram_matrix() -> None:
    random = np.random.default_rng(0)
    pairs = interactions(random.integers(0, 25, 200), random.integers(0, 30, 200))
    item, found = implicit_als(pairs, 6, 10.0, 2.0, 3, 0)
    gram = item.T.astype(float) @ item + 2.0 * np.eye(6)
    assert np.allclose(found, np.linalg.inv(gram), atol=1e-5)


def test_hidden_events_of_a_checkerboard_score_higher_than_all_other_pairs() -> None:
    """Give user u four of five items i with even u + i. The fifth must score higher than items with odd u + i."""
    size = 30
    user, item = np.divmod(np.arange(size * size), size)
    liked = (user + item) % 2 == 0
    known = liked & (np.random.default_rng(0).random(size * size) < 0.8)
    pairs = interactions(user[known], item[known])
    table, _ = implicit_als(pairs, 2, 10.0, 0.1, 10, 0)
    for row in range(size):
        own = item[known & (user == row)]
        score = table @ dense_solution(table.astype(float), own.tolist(), [10.0] * len(own), 0.1)
        hidden, others = item[liked & ~known & (user == row)], item[~liked & (user == row)]
        assert score[hidden].min(initial=1) > score[others].max() + 0.2


def test_very_different_weights_give_finite_numbers() -> None:
    random = np.random.default_rng(0)
    pairs = interactions(random.integers(0, 9, 60), random.integers(0, 9, 60), 10.0 ** random.uniform(-44, 6, 60))
    item, inverse = implicit_als(pairs, 4, 40.0, 1.0, 3, 0)
    assert np.isfinite(item).all()
    assert np.isfinite(inverse).all()
