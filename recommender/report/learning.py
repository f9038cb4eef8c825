"""The validation error by iteration and by embedding size."""

from dataclasses import dataclass

import numpy as np

from recommender.candidates import SOURCES
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.errors import FitError
from recommender.hyperparameters import TrainConfig
from recommender.training.search import validation_error
from recommender.training.training_run import TrainingRun

SIZE = "embedding_dim"
OWNER = TrainConfig.owners[SIZE][0]  # the source that predicts ratings
SIZES = (10, 20, 50, 100, 150, 200, 250, 300)
MAX_RATINGS = 200_000  # with more ratings, fitting other sizes takes longer than some seconds
NO_VALIDATION = (
    "There was nothing to validate on: give the job a validation channel, "
    "or ratings in which other users have rated a user's last item, too."
)
NO_RATINGS = "The events have no ratings, so no source predicts ratings and there is no error to show."
ALL_EQUAL = "All ratings are equal, so every prediction is right and there is no error to show."
NO_PREDICTIONS = "No source of this model predicts ratings, so there is no error to show."


@dataclass(frozen=True)
class Curve:
    """Validation RMSE after each iteration.

    Attributes:
        rmse: in order; NaN if a fit overflowed.
        chosen: the number of iterations of the model.
        validation: number of validation ratings.
    """

    rmse: list[float]
    chosen: int
    validation: int


@dataclass(frozen=True)
class Sizes:
    """Validation RMSE by embedding size, ascending, and the embedding size of the model."""

    rmse: dict[int, float]
    own: int


def curve(finished: TrainingRun) -> Curve | str:
    """Return the learning curve of metrics.json, or a sentence that says why it is missing."""
    metrics = finished.metrics
    rmse, chosen, validation = (
        metrics.get(name) for name in ("validation_rmse_by_iteration", "num_iterations", "num_validation_ratings")
    )
    if not validation:
        return nothing_validated(finished)
    if not (isinstance(rmse, list) and isinstance(chosen, int) and isinstance(validation, int)):
        return "metrics.json of this training has no learning curve: an earlier version wrote it: train again."
    return Curve(rmse, chosen, validation)


def nothing_validated(finished: TrainingRun) -> str:
    """Return a sentence that says why there is no validation error."""
    if finished.data.rating is None:
        return NO_RATINGS
    if len(finished.data) > 1 and np.ptp(finished.data.rating) == 0:
        return ALL_EQUAL
    return NO_VALIDATION if OWNER in finished.recommender.model.sources else NO_PREDICTIONS


def costs_little(finished: TrainingRun) -> bool:
    """Return whether a training job can fit other embedding sizes within seconds."""
    alone = len(finished.container.cluster().hosts) == 1
    quick = finished.config.of(SOURCES[OWNER].Options).is_quick
    return alone and quick and len(finished.data) <= MAX_RATINGS


def sizes(finished: TrainingRun, command: str) -> Sizes | str:
    """Return the error of each embedding size, all else equal, or a sentence that says why it is missing.

    Args:
        finished: the training.
        command: the command that fits the sizes; empty: fit them here.
    """
    if not finished.metrics.get("num_validation_ratings"):
        return nothing_validated(finished)
    if command:
        return f"Fitting other sizes would take the training job too long: {command} fits them."
    own = getattr(finished.config, SIZE)
    tried = progress(sorted({*SIZES, own}), "fitting other embedding sizes")
    return Sizes({size: _error(finished, size) for size in tried}, own)


def _error(finished: TrainingRun, size: int) -> float:
    known = finished.metrics.get("validation_rmse")
    if size == getattr(finished.config, SIZE) and isinstance(known, float):
        return known
    config = finished.config.model_copy(update={SIZE: size})
    try:
        return validation_error(config, FitContext(finished.data, finished.validation))
    except FitError:
        return float("inf")
