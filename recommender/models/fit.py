"""The fit: choose the number of iterations (sweeps or epochs) on validation data, then fit all ratings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from recommender.data.interactions import Interactions
from recommender.data.splits import leave_one_out
from recommender.models import adam, als, networks
from recommender.models.distributed import ALONE, Hosts
from recommender.models.factors import Factors
from recommender.models.iteration import Iteration, Start
from recommender.models.options import FactorizationOptions
from recommender.models.patience import Patience

SWEEPS_PATIENCE = 3  # sweeps without a better validation error until the solver stops
PREDICTED_AT_ONCE = 65_536

SOLVERS: dict[str, Callable[[Interactions, FactorizationOptions, Start | None, Hosts], Iterator[Iteration]]] = {
    "als": als.sweeps,
    "adam": adam.epochs,
}


@dataclass(frozen=True)
class Choice:
    """The chosen number of iterations, and the errors behind the choice.

    Attributes:
        num_iterations: the chosen number.
        rmse: validation RMSE after each iteration that was tried; empty without validation ratings.
        num_validation: number of validation ratings.
    """

    num_iterations: int
    rmse: list[float]
    num_validation: int


def choose_iterations(
    data: Interactions,
    config: FactorizationOptions,
    validation: Interactions | None = None,
    *,
    errors: Sequence[float] = (),
    start: Start | None = None,
    hosts: Hosts = ALONE,
    after: Callable[[Iteration, list[float]], None] = lambda *_: None,
) -> Choice:
    """Return the number of iterations with the lowest validation error.

    More iterations overfit, so "until it converges" is the wrong rule (docs/experiments.md). Without validation
    ratings (no item is shared), the choice is the maximum that `config` allows.

    Args:
        data: all training ratings.
        config: the hyper-parameters.
        validation: ratings that `data` does not have; by default each user's last rating is held out of `data`.
        errors: the validation RMSE after each iteration of an earlier process.
        start: the state after the last iteration of the earlier process.
        hosts: the hosts that fit together.
        after: called after each iteration with the errors so far.
    """
    if validation is None:
        held_out = leave_one_out(data)
        data, validation = data.where(~held_out), data.where(held_out)
    most, patience = limits(config)
    if len(validation) == 0:
        return Choice(most, [], 0)
    progress = Patience(most, patience)
    for known in errors:
        progress.take(known)
    iterations = SOLVERS[config.solver](data, config, start, hosts)
    while not progress.ended:
        iteration = next(iterations)
        # One host decides, because another kind of processor may round differently.
        error = torch.tensor([validation_rmse(iteration.model, validation)], dtype=torch.float64)
        progress.take(float(hosts.broadcast(error)))
        after(iteration, progress.errors)
    return Choice(max(1, progress.best), progress.errors, len(validation))


def fit(
    data: Interactions,
    config: FactorizationOptions,
    num_iterations: int,
    *,
    start: Start | None = None,
    hosts: Hosts = ALONE,
    after: Callable[[Iteration], None] = lambda _: None,
) -> Factors:
    """Fit all of `data`. Call `after` after each iteration but the last.

    Raises:
        FitError: the result is not finite.
    """
    for iteration in SOLVERS[config.solver](data, config, start, hosts):
        if iteration.number >= num_iterations:
            return networks.factors_of(iteration.model)
        after(iteration)
    raise AssertionError("a solver must yield without end")


def limits(config: FactorizationOptions) -> tuple[int, int]:
    """Return the maximum number of iterations, and the patience: iterations without a better validation error."""
    if config.solver == "als":
        return config.max_sweeps, SWEEPS_PATIENCE
    return config.max_epochs, config.patience


@torch.no_grad()
def validation_rmse(model: networks.BasicMF, ratings: Interactions) -> float:
    """Return the root mean squared error of the model's predictions."""
    columns = (ratings.user_num, ratings.item_num, ratings.ratings)
    parts = zip(*(torch.split(torch.from_numpy(column), PREDICTED_AT_ONCE) for column in columns), strict=True)
    squares = sum(float((model(user, item) - rating).double().square().sum()) for user, item, rating in parts)
    return float((squares / len(ratings)) ** 0.5)
