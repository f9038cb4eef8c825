"""The solver against independent references: stacked least squares, the objective, planted answers."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from recommender.config import TrainConfig
from recommender.data.interactions import Interactions
from recommender.errors import FitError
from recommender.models import als
from recommender.models.factors import fold_in
from recommender.models.training import choose_sweeps, fit

Array = NDArray[np.float64]


def interactions(user: ArrayLike, item: ArrayLike, rating: ArrayLike) -> Interactions:
    frame = pd.DataFrame({"user_id": user, "item_id": item, "rating": rating})
    frame = frame.astype({"user_id": int, "item_id": int})
    frame["user_id"] = frame["user_id"].map("u{:05d}".format)
    frame["item_id"] = frame["item_id"].map("i{:05d}".format)
    return Interactions.from_frame(frame)


def random_interactions(num_users: int, num_items: int, num_ratings: int, seed: int = 0) -> Interactions:
    random = np.random.default_rng(seed)
    # Skewed, so that some rows have one rating and some have more ratings than dimensions.
    user = (num_users * random.random(num_ratings) ** 2).astype(int)
    item = (num_items * random.random(num_ratings) ** 2).astype(int)
    return interactions(user, item, random.integers(1, 6, num_ratings))


def ridge(other: Array, other_bias: Array, rating: Array, reg: float, bias_reg: float) -> tuple[Array, float]:
    """One row by least squares on the problem stacked with the square roots of its penalties."""
    dim = other.shape[1]
    penalty = np.diag([reg**0.5] * dim + [bias_reg**0.5])
    matrix = np.vstack([np.hstack([other, np.ones((len(other), 1))]), penalty])
    target = np.concatenate([rating - other_bias, np.zeros(dim + 1)])
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    return solution[:-1], float(solution[-1])


def reference(data: Interactions, config: TrainConfig, initial_users: Array) -> tuple[Array, Array, Array, Array]:
    """Alternating least squares in float64, a row at a time."""
    users, user_bias = initial_users.copy(), np.zeros(len(data.users))
    items, item_bias = np.zeros((len(data.items), users.shape[1])), np.zeros(len(data.items))
    rating = data.rating - data.rating.mean(dtype=float)
    for _ in range(config.max_sweeps):
        for item in range(len(data.items)):
            own = data.item_num == item
            rows = data.user_num[own]
            items[item], item_bias[item] = ridge(
                users[rows], user_bias[rows], rating[own], config.regularization, config.item_bias_regularization
            )
        for user in range(len(data.users)):
            own = data.user_num == user
            rows = data.item_num[own]
            users[user], user_bias[user] = ridge(
                items[rows], item_bias[rows], rating[own], config.regularization, config.user_bias_regularization
            )
    return users, user_bias, items, item_bias


@pytest.mark.parametrize("embedding_dim", [1, 5, 40])
def test_the_fit_is_that_of_a_plain_least_squares_reference(embedding_dim: int) -> None:
    data = random_interactions(40, 60, 500)
    counts = np.bincount(data.user_num)
    assert counts.min() < 5 < counts.max()  # rating space and factor space both occur
    config = TrainConfig(embedding_dim=embedding_dim, max_sweeps=3, seed=7)
    generator = torch.Generator().manual_seed(7)
    initial = torch.zeros(len(data.users), embedding_dim).normal_(std=als.INITIAL_STD, generator=generator)
    users, user_bias, items, item_bias = reference(data, config, initial.double().numpy())
    *_, state = als.sweeps(data, config)
    assert np.abs(state.users.embedding.numpy() - users).max() < 1e-5
    assert np.abs(state.users.bias.numpy() - user_bias).max() < 1e-5
    assert np.abs(state.items.embedding.numpy() - items).max() < 1e-5
    assert np.abs(state.items.bias.numpy() - item_bias).max() < 1e-5


def objective(data: Interactions, state: als.State, config: TrainConfig) -> float:
    predicted = state.predict(torch.from_numpy(data.user_num), torch.from_numpy(data.item_num)).double().numpy()
    squares = [
        (config.regularization, state.users.embedding),
        (config.regularization, state.items.embedding),
        (config.user_bias_regularization, state.users.bias),
        (config.item_bias_regularization, state.items.bias),
    ]
    penalty = sum(weight * float(values.double().square().sum()) for weight, values in squares)
    return float(((data.rating - predicted) ** 2).sum()) + penalty


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 30), st.floats(0.1, 20), st.floats(0.1, 20))
def test_no_sweep_makes_the_objective_worse(seed: int, embedding_dim: int, reg: float, bias_reg: float) -> None:
    data = random_interactions(20, 25, 120, seed)
    config = TrainConfig(
        embedding_dim=embedding_dim, regularization=reg, user_bias_regularization=bias_reg, max_sweeps=5, seed=seed
    )
    values = [objective(data, state, config) for state in als.sweeps(data, config)]
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in pairwise(values))


def test_batches_hold_every_rating_once_and_rows_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "BATCH_FLOATS", 64)  # many batches
    data = random_interactions(30, 50, 400)
    batches = als.batches(data.user_num, data.item_num, data.rating, len(data.users), embedding_dim=4)
    found = [
        (int(row), int(other), float(rating))
        for batch in batches
        for row, others, ratings in zip(batch.row, batch.other, batch.rating, strict=True)
        for other, rating in zip(others, ratings, strict=True)
    ]
    assert len(batches) > len(np.unique(np.bincount(data.user_num)))
    assert sorted(found) == sorted(
        zip(data.user_num.tolist(), data.item_num.tolist(), data.rating.tolist(), strict=True)
    )


def test_a_checkerboard_is_learned() -> None:
    """User u likes item i where u + i is even; a fifth of the board is held out and must be predicted."""
    user, item = np.divmod(np.arange(1600), 40)
    rating = np.where((user + item) % 2 == 0, 5, 1)
    hidden = np.random.default_rng(0).random(1600) < 0.2
    data = interactions(user[~hidden], item[~hidden], rating[~hidden])
    factors = fit(data, TrainConfig(embedding_dim=4), num_sweeps=5)
    predicted = factors.predict(user[hidden], item[hidden])
    assert ((predicted > 3) == (rating[hidden] == 5)).all()
    assert np.abs(predicted - rating[hidden]).max() < 0.5


@pytest.mark.parametrize("embedding_dim", [3, 40])
def test_a_stored_user_is_what_fold_in_gives_for_the_users_history(embedding_dim: int) -> None:
    data = random_interactions(40, 60, 500)
    config = TrainConfig(embedding_dim=embedding_dim)
    factors = fit(data, config, num_sweeps=2)
    for user in range(len(data.users)):
        own = data.user_num == user
        embedding, bias = fold_in(
            factors.item_embedding(data.item_num[own]),
            factors.item_bias[data.item_num[own]].astype(float),
            data.rating[own] - factors.global_mean,
            config.regularization,
            config.user_bias_regularization,
        )
        assert np.abs(embedding - factors.user_embedding[user]).max() < 1e-5
        assert abs(bias - factors.user_bias[user]) < 1e-5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    data = random_interactions(40, 60, 500)
    one, again, other = (fit(data, TrainConfig(embedding_dim=8, seed=seed), 2).user_embedding for seed in (1, 1, 2))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


def test_a_fit_that_is_not_finite_is_an_error() -> None:
    data = interactions([0, 0, 1, 1], [0, 1, 0, 1], [3e38, -3e38, 3e38, -3e38])
    with pytest.raises(FitError, match="not finite"):
        fit(data, TrainConfig(embedding_dim=2), num_sweeps=2)


def test_the_sweep_with_the_best_validation_error_is_chosen() -> None:
    data = random_interactions(60, 30, 600)
    seen: list[float] = []
    choice = choose_sweeps(data, TrainConfig(embedding_dim=8), lambda _, error: seen.append(error))
    assert choice.rmse == seen
    assert choice.num_sweeps == int(np.argmin(seen)) + 1
    assert choice.num_validation > 0


def test_where_nothing_can_be_held_out_all_sweeps_are_used() -> None:
    data = interactions([0, 1, 2], [0, 1, 2], [1, 3, 5])
    assert choose_sweeps(data, TrainConfig(max_sweeps=4)).num_sweeps == 4
