"""How many sweeps: validation decides, then everything is fitted again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from recommender.config import TrainConfig
from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.models import als
from recommender.models.factors import Factors

PATIENCE = 3  # sweeps without a better validation error before the search ends


@dataclass(frozen=True)
class SweepChoice:
    """How the number of sweeps was found.

    Attributes:
        num_sweeps: the number chosen.
        rmse: validation RMSE after each sweep tried; empty where nothing could be held out.
        num_validation: ratings held out.
    """

    num_sweeps: int
    rmse: list[float]
    num_validation: int


def choose_sweeps(
    data: Interactions, config: TrainConfig, on_sweep: Callable[[int, float], None] = lambda *_: None
) -> SweepChoice:
    """Fit without each user's last rating and find the sweep that predicts those best.

    More sweeps overfit, so "until it converges" is the wrong rule (docs/experiments.md). Where nothing
    can be held out (no item is shared), the choice is `config.max_sweeps`.

    Args:
        data: all training ratings.
        config: the hyper-parameters.
        on_sweep: called with each sweep and its validation RMSE.
    """
    held_out = leave_one_out(data)
    if not held_out.any():
        return SweepChoice(config.max_sweeps, [], 0)
    users, items = torch.from_numpy(data.user_num[held_out]), torch.from_numpy(data.item_num[held_out])
    rating = torch.from_numpy(data.rating[held_out])
    errors: list[float] = []
    for state in als.sweeps(data.where(~held_out), config):
        errors.append(float((state.predict(users, items) - rating).double().square().mean().sqrt()))
        on_sweep(state.sweep, errors[-1])
        if len(errors) - int(np.argmin(errors)) > PATIENCE:
            break
    return SweepChoice(int(np.argmin(errors)) + 1, errors, len(rating))


def fit(data: Interactions, config: TrainConfig, num_sweeps: int) -> Factors:
    """Fit all of `data` with this many sweeps.

    Raises:
        FitError: the result is not finite.
    """
    *_, state = als.sweeps(data, config.model_copy(update={"max_sweeps": num_sweeps}))
    return state.factors()
