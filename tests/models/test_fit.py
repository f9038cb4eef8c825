"""The choice of the number of iterations, and resuming where another process stopped."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.boards import interactions, random_interactions
from torch import Tensor

from recommender.models.fit import choose_iterations, fit, limits
from recommender.models.iteration import Iteration, Start
from recommender.models.options import FactorizationOptions

ALS = FactorizationOptions(embedding_dim=8)
SMALL: dict[str, Any] = {"solver": "adam", "embedding_dim": 8, "learning_rate": 0.05, "max_epochs": 12, "patience": 4}
CONFIGS = [ALS, *(FactorizationOptions(model=model, **SMALL) for model in ("basic", "sigmoid", "bias"))]


@pytest.fixture(params=CONFIGS, ids=lambda config: f"{config.model}-{config.solver}")
def config(request: pytest.FixtureRequest) -> FactorizationOptions:
    """Return each of `CONFIGS` in turn."""
    chosen = request.param
    assert isinstance(chosen, FactorizationOptions)
    return chosen


def test_the_iteration_with_the_best_validation_error_is_chosen(config: FactorizationOptions) -> None:
    seen: list[float] = []
    choice = choose_iterations(
        random_interactions(60, 30, 600), config, after=lambda _, errors: seen.append(errors[-1])
    )
    most, patience = limits(config)
    assert choice.rmse == seen
    assert choice.num_iterations == int(np.argmin(seen)) + 1
    assert len(seen) == min(most, choice.num_iterations + patience)
    assert choice.num_validation > 0


def test_without_validation_ratings_the_maximum_number_of_sweeps_is_used() -> None:
    data = interactions([0, 1, 2], [0, 1, 2], [1, 3, 5])
    assert choose_iterations(data, FactorizationOptions(max_sweeps=4)).num_iterations == 4


def test_errors_are_measured_on_a_given_validation_set(config: FactorizationOptions) -> None:
    data = random_interactions(60, 30, 600)
    validation = data.where(np.arange(len(data)) < 50)  # a part of the training data, so its errors become small
    choice = choose_iterations(data, config, validation)
    assert choice.num_validation == 50
    factors = fit(data, config, choice.num_iterations)
    errors = factors.predict(validation.user_num, validation.item_num) - validation.ratings
    assert min(choice.rmse) == pytest.approx(float(np.sqrt(np.mean(errors**2))), rel=1e-5)


def kept(iteration: Iteration) -> Start:
    """Return a copy of the tables, as a checkpoint keeps them."""
    return Start(iteration.number, {name: tensor.clone() for name, tensor in iteration.arrays.items()})


def starts(config: FactorizationOptions) -> Iterator[tuple[str, Start, list[float]]]:
    """Yield phase, start and errors after every iteration of both phases."""
    data = random_interactions(60, 30, 600)
    found: list[tuple[str, Start, list[float]]] = []
    choice = choose_iterations(
        data, config, after=lambda iteration, errors: found.append(("choose", kept(iteration), list(errors)))
    )
    number = max(3, choice.num_iterations)
    fit(data, config, number, after=lambda iteration: found.append(("fit", kept(iteration), choice.rmse)))
    yield from found


def test_resuming_from_any_iteration_gives_the_same_bytes(config: FactorizationOptions) -> None:
    data = random_interactions(60, 30, 600)
    whole = choose_iterations(data, config)
    number = max(3, whole.num_iterations)
    expected = fit(data, config, number)
    for phase, start, errors in starts(config):
        choosing = start if phase == "choose" else None
        assert choose_iterations(data, config, errors=errors, start=choosing) == whole
        if phase == "fit":
            resumed = fit(data, config, number, start=start)
            assert resumed.user_embedding.tobytes() == expected.user_embedding.tobytes()
            assert resumed.item_scale.tobytes() == expected.item_scale.tobytes()
            assert resumed.global_mean == expected.global_mean


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_bytes(config: FactorizationOptions) -> None:
    data = random_interactions(60, 30, 600)
    seeds = (1, 1, 2)
    one, again, other = (
        fit(data, config.model_copy(update={"seed": seed}), 2).user_embedding.tobytes() for seed in seeds
    )
    assert one == again
    assert one != other


def test_a_checkpoint_of_least_squares_has_only_the_users_tables() -> None:
    found: list[dict[str, Tensor]] = []
    fit(random_interactions(60, 30, 600), ALS, 2, after=lambda iteration: found.append(dict(iteration.arrays)))
    assert [sorted(arrays) for arrays in found] == [["user_bias", "user_embedding"]]
