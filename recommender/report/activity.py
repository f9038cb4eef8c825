"""The prediction error for users and items with few train ratings, and with many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.evaluate import rmse_of_squares
from recommender.evaluation.intervals import Estimate
from recommender.training.training_run import TrainingRun


@dataclass(frozen=True)
class Bin:
    """The test rows with a user, or item, in a range of numbers of train ratings.

    Attributes:
        label: the range, such as 5-8.
        rows: number of test rows.
        rmse: RMSE of their predictions, with its interval.
    """

    label: str
    rows: int
    rmse: Estimate


@dataclass(frozen=True)
class Activity:
    """The error by train ratings of the user, and by those of the item."""

    of_users: list[Bin]
    of_items: list[Bin]


def activity(finished: TrainingRun) -> Activity | str:
    """Return the error by activity, or a sentence that says why it is missing."""
    rows, model = finished.rows, finished.recommender.model
    if rows is None:
        return "There is no test channel. `recommender split` makes one; then this section shows errors by activity."
    if rows.rating is None:
        return "The test channel has no ratings, so there is no prediction error."
    if rows.squared_error is None:
        return "No candidate source of this model predicts ratings."
    of_user = np.append(np.diff(model.histories.offsets), 0)[rows.user_num]  # number -1 takes the appended 0
    of_item = np.append(np.bincount(model.histories.item_num, minlength=len(model.items)), 0)[rows.item_num]
    return Activity(errors(of_user, rows.squared_error), errors(of_item, rows.squared_error))


def errors(train_ratings: NDArray[np.integer], squared_error: NDArray[np.float64]) -> list[Bin]:
    """Return the root mean squared error of each bin with rows, fewest ratings first."""
    number = bins(train_ratings)
    return [_bin(int(one), squared_error[number == one]) for one in np.unique(number)]


def _bin(number: int, squared_error: NDArray[np.float64]) -> Bin:
    return Bin(label(number), len(squared_error), rmse_of_squares(squared_error))


def bins(count: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the bin of each count, (n,) int64: 0, 1, 2, then 3 for 3-4, 4 for 5-8 and so on, doubling."""
    doublings = np.frexp(np.maximum(count, 1) - 1)[1]  # exact, while a logarithm may round
    return doublings.astype(np.int64) + (count > 0)


def label(number: int) -> str:
    """Return the range of counts of a bin, as text."""
    if number < 3:
        return str(number)
    return f"{2 ** (number - 2) + 1:,}-{2 ** (number - 1):,}"
