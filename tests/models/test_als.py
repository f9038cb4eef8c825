"""The solver compared with independent references: stacked least squares, the objective, planted solutions."""

from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.boards import checkerboard, interactions, random_interactions

from recommender.data.interactions import Interactions
from recommender.errors import FitError
from recommender.models import als
from recommender.models.factors import fold_in
from recommender.models.fit import fit
from recommender.models.networks import BasicMF
from recommender.models.options import FactorizationOptions

Array = NDArray[np.float64]


def ridge(other: Array, other_bias: Array, rating: Array, reg: float, bias_reg: float) -> tuple[Array, float]:
    """Solve one row by plain least squares. The penalties are extra rows: their square roots."""
    dim = other.shape[1]
    penalty = np.diag([reg**0.5] * dim + [bias_reg**0.5])
    matrix = np.vstack([np.hstack([other, np.ones((len(other), 1))]), penalty])
    target = np.concatenate([rating - other_bias, np.zeros(dim + 1)])
    solution = np.linalg.lstsq(matrix, target, rcond=None)[0]
    return solution[:-1], float(solution[-1])


def reference(
    data: Interactions, config: FactorizationOptions, initial_users: Array
) -> tuple[Array, Array, Array, Array]:
    """Return users, user biases, items and item biases by alternating least squares in float64, row by row."""
    users, user_bias = initial_users.copy(), np.zeros(len(data.users))
    items, item_bias = np.zeros((len(data.items), users.shape[1])), np.zeros(len(data.items))
    rating = data.ratings - data.ratings.mean(dtype=float)
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
def test_the_fit_equals_that_of_a_plain_least_squares_reference(embedding_dim: int) -> None:
    data = random_interactions(40, 60, 500)
    counts = np.bincount(data.user_num)
    assert counts.min() < 5 < counts.max()  # some rows are solved in rating space, some in factor space
    config = FactorizationOptions(embedding_dim=embedding_dim, max_sweeps=3, seed=7)
    generator = torch.Generator().manual_seed(7)
    initial = torch.zeros(len(data.users), embedding_dim).normal_(std=als.INITIAL_STD, generator=generator)
    users, user_bias, items, item_bias = reference(data, config, initial.double().numpy())
    *_, last = islice(als.sweeps(data, config), config.max_sweeps)
    model = {name: values.numpy() for name, values in last.model.state_dict().items()}
    assert np.abs(model["user_embedding"] - users).max() < 1e-5
    assert np.abs(model["user_bias"] - user_bias).max() < 1e-5
    assert np.abs(model["item_embedding"] - items).max() < 1e-5
    assert np.abs(model["item_bias"] - item_bias).max() < 1e-5


@torch.no_grad()
def objective(data: Interactions, model: BasicMF, config: FactorizationOptions) -> float:
    """Return the objective that the sweeps minimize."""
    predicted = model(torch.from_numpy(data.user_num), torch.from_numpy(data.item_num)).double().numpy()
    squares = [
        (config.regularization, model.user_embedding),
        (config.regularization, model.item_embedding),
        (config.user_bias_regularization, model.user_bias),
        (config.item_bias_regularization, model.item_bias),
    ]
    penalty = sum(weight * float(values.double().square().sum()) for weight, values in squares)
    return float(((data.ratings - predicted) ** 2).sum()) + penalty


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 30), st.floats(0.1, 20), st.floats(0.1, 20))
def test_no_sweep_makes_the_objective_worse(seed: int, embedding_dim: int, reg: float, bias_reg: float) -> None:
    data = random_interactions(20, 25, 120, seed)
    config = FactorizationOptions(
        embedding_dim=embedding_dim, regularization=reg, user_bias_regularization=bias_reg, seed=seed
    )
    values = [objective(data, sweep.model, config) for sweep in islice(als.sweeps(data, config), 5)]
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in pairwise(values))


def test_batches_have_every_rating_once_and_rows_of_equal_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "BATCH_FLOATS", 64)  # many batches
    data = random_interactions(30, 50, 400)
    batches = als.batches(data.user_num, data.item_num, data.ratings, slice(0, len(data.users)), embedding_dim=4)
    found = [
        (int(row), int(other), float(rating))
        for batch in batches
        for row, others, ratings in zip(batch.row, batch.other, batch.rating, strict=True)
        for other, rating in zip(others, ratings, strict=True)
    ]
    assert len(batches) > len(np.unique(np.bincount(data.user_num)))
    assert sorted(found) == sorted(
        zip(data.user_num.tolist(), data.item_num.tolist(), data.ratings.tolist(), strict=True)
    )


def test_a_checkerboard_is_learned() -> None:
    data, user, item, rating = checkerboard(40, hidden_share=0.2)
    predicted = fit(data, FactorizationOptions(embedding_dim=4), 5).predict(user, item)
    assert ((predicted > 3) == (rating == 5)).all()
    assert np.abs(predicted - rating).max() < 0.5


def test_a_model_without_biases_learns_the_checkerboard_too() -> None:
    data, user, item, rating = checkerboard(40, hidden_share=0.2)
    factors = fit(data, FactorizationOptions(model="basic", embedding_dim=4), 30)
    assert not factors.user_bias.any()
    assert not factors.item_bias.any()
    assert ((factors.predict(user, item) > 3) == (rating == 5)).all()


@pytest.mark.parametrize("embedding_dim", [2, 40])
def test_basic_mf_is_ridge_regression_without_mean_and_biases(embedding_dim: int) -> None:
    """Compare every user after a sweep with a ridge regression on the items."""
    data = random_interactions(40, 60, 500)
    config = FactorizationOptions(model="basic", embedding_dim=embedding_dim)
    sweep = next(als.sweeps(data, config))
    items = sweep.model.item_embedding.detach().double().numpy()
    for user in range(len(data.users)):
        own = data.user_num == user
        design = items[data.item_num[own]]
        normal = design.T @ design + config.regularization * np.eye(embedding_dim)
        expected = np.linalg.solve(normal, design.T @ data.ratings[own])
        assert np.abs(sweep.model.user_embedding[user].detach().numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("embedding_dim", [3, 40])
def test_folding_in_a_users_history_gives_the_stored_user(embedding_dim: int) -> None:
    data = random_interactions(40, 60, 500)
    config = FactorizationOptions(embedding_dim=embedding_dim)
    factors = fit(data, config, 2)
    for user in range(len(data.users)):
        own = data.user_num == user
        embedding, bias = fold_in(
            factors.item_embedding(data.item_num[own]),
            factors.item_bias[data.item_num[own]].astype(float),
            data.ratings[own] - factors.global_mean,
            config.regularization,
            config.user_bias_regularization,
        )
        assert np.abs(embedding - factors.user_embedding[user]).max() < 1e-5
        assert abs(bias - factors.user_bias[user]) < 1e-5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_bytes() -> None:
    data = random_interactions(40, 60, 500)
    one, again, other = (
        fit(data, FactorizationOptions(embedding_dim=8, seed=seed), 2).user_embedding for seed in (1, 1, 2)
    )
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


def test_the_result_does_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als, "BATCH_FLOATS", 64)  # many batches
    data, fits = random_interactions(40, 60, 500), []
    threads = torch.get_num_threads()
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            fits.append(fit(data, FactorizationOptions(embedding_dim=8), 2).user_embedding.tobytes())
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    assert fits[0] == fits[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_that_is_not_finite_is_an_error(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    data = interactions([0, 0, 1, 1], [0, 1, 0, 1], [3e38, -3e38, 3e38, -3e38])
    with pytest.raises(FitError, match="not finite"):
        fit(data, FactorizationOptions(embedding_dim=2), 2)
