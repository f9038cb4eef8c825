"""An experiment: does a bias for all ratings of one user on one day lower the error?

It adds to the project's model a bias for each pair of a user and a day with ratings:

    r_ui = global_mean + user_bias_u + user_day_bias_ut + item_bias_i + user_embedding_u . item_embedding_i

A prediction includes the bias of its day if the user has train ratings on that day, and none otherwise. The L2 penalty
on this bias is chosen on validation. One of the choices is infinity: the model without it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender.common.files import write_text
from recommender.common.progress import progress
from recommender.data.interactions import Interactions
from recommender.data.splits import split_leave_one_out
from recommender.evaluation.metrics import rmse
from recommender.evaluation.ratings import rmse_difference, rmse_estimate
from recommender.models.fit import choose_iterations, fit
from recommender.models.options import FactorizationOptions
from study.common import machine, table
from study.data import DATA

DAY = 86_400_000  # milliseconds
REGULARIZATIONS = (0.3, 1.0, 3.0, 10.0, 30.0, np.inf)
ROUNDS = 3  # each fits the model with fixed user-day biases, then these biases with the fixed model
SEEDS = range(5)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class UserDays:
    """The number of each rating's pair of user and day, from 0; -1 for a pair without train ratings."""

    train: NDArray[np.int64]
    pairs: NDArray[np.int64]

    @classmethod
    def of(cls, train: Interactions, pairs: Interactions) -> "UserDays":
        """Enumerate the user-days of the train ratings, and look up those of other pairs."""
        keys, numbers = np.unique(_keys(train), axis=0, return_inverse=True)
        known = {(int(user), int(day)): number for number, (user, day) in enumerate(keys)}
        found = [known.get((int(user), int(day)), -1) for user, day in _keys(pairs)]
        return cls(numbers.ravel(), np.array(found, np.int64))


def predict(train: Interactions, pairs: Interactions, seed: int, regularization: float, sweeps: int) -> Values:
    """Predict the ratings of the pairs; fits by block coordinate descent on the penalized squared error."""
    config, days = FactorizationOptions(seed=seed), UserDays.of(train, pairs)
    count = np.bincount(days.train)
    bias = np.zeros(len(count))
    for _ in range(1 if np.isinf(regularization) else ROUNDS):
        factors = fit(replace(train, rating=(train.ratings - bias[days.train]).astype(np.float32)), config, sweeps)
        missed = train.ratings - factors.predict(train.user_num, train.item_num)
        bias = np.bincount(days.train, missed) / (count + regularization)
    return factors.predict(pairs.user_num, pairs.item_num) + np.where(days.pairs < 0, 0, bias[days.pairs])


def run(name: str, folder: Path, command: str) -> None:
    """Choose the penalty on validation, compare on test with the model without the bias, write user_day.md."""
    data = DATA[name]()
    split = split_leave_one_out(data.train)
    sweeps = [choose_iterations(data.train, FactorizationOptions(seed=seed)).num_iterations for seed in SEEDS]
    validation: dict[float, Values] = {}
    test: dict[float, Values] = {}
    for weight in progress(REGULARIZATIONS, "penalties on user-day biases"):
        for errors, train, pairs in ((validation, split.train, split.test), (test, data.train, data.test)):
            predicted = [predict(train, pairs, seed, weight, sweeps[seed]) for seed in SEEDS]
            errors[weight] = np.array(predicted) - pairs.ratings
    means = {
        weight: float(np.mean([rmse(own, np.zeros(1)) for own in errors])) for weight, errors in validation.items()
    }
    best = min(means, key=lambda weight: means[weight])
    rows = [
        ["none" if np.isinf(weight) else f"{weight:g}", f"{means[weight]:.4f}" + (", chosen" if weight == best else ""),
         *_shown(test[weight], test[np.inf])]
        for weight in REGULARIZATIONS
    ]  # fmt: skip
    share = np.mean(UserDays.of(data.train, data.test).pairs >= 0)
    text = "\n\n".join(
        [
            f"`{command}` on {machine()}",
            f"{data.name}: for {share:.0%} of the {len(data.test):,} test ratings, the user has train ratings on the "
            f"same day. Bias MF by least squares, embedding size {FactorizationOptions().embedding_dim}; "
            f"{len(SEEDS)} seeds. Penalty none: the model without the bias.",
            table(["L2 penalty", "validation RMSE", "test RMSE", "minus without the bias (paired, 95 %)"], rows),
        ]
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "user_day.md", text + "\n")
    print(text)


def _shown(errors: Values, without: Values) -> list[str]:
    if errors is without:
        return [f"{rmse_estimate(errors).value:.4f}", ""]
    difference = rmse_difference(errors, without)
    interval = f"({difference.low:+.4f} to {difference.high:+.4f})"
    noise = ", noise" if difference.low <= 0 <= difference.high else ""
    return [f"{rmse_estimate(errors).value:.4f}", f"{difference.value:+.4f} {interval}{noise}"]


def _keys(data: Interactions) -> NDArray[np.int64]:
    return np.stack([data.user_num, data.time // DAY], axis=1)
