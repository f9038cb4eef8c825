"""The validation error: by iteration, and by size of the embeddings."""

from dataclasses import dataclass

from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.errors import FitError
from recommender.training.search import validation_error
from recommender.training.training_run import TrainingRun

SIZE = "embedding_dim"
SIZES = (10, 20, 50, 100, 150, 200, 250, 300)
MAX_RATINGS = 200_000  # with more, other sizes take a training job more than some seconds
NO_VALIDATION = (
    "There was nothing to validate on: give the job a validation channel, "
    "or ratings in which a user's last item is one that others have rated, too."
)


@dataclass(frozen=True)
class Curve:
    """Validation RMSE after each iteration.

    Attributes:
        rmse: in order; NaN where a fit overflowed.
        chosen: the iteration, from 1, that the model has.
        validation: ratings that were validated on.
    """

    rmse: list[float]
    chosen: int
    validation: int


@dataclass(frozen=True)
class Sizes:
    """Validation RMSE by size of the embeddings, ascending, and the size that the model has."""

    rmse: dict[int, float]
    own: int


def curve(finished: TrainingRun) -> Curve | str:
    """The learning curve of metrics.json, or what is missing for it."""
    metrics = finished.metrics
    rmse, chosen, validation = (
        metrics.get(name) for name in ("validation_rmse_by_iteration", "num_iterations", "num_validation_ratings")
    )
    if not validation:
        return NO_VALIDATION
    if not (isinstance(rmse, list) and isinstance(chosen, int) and isinstance(validation, int)):
        return "metrics.json of this training has no learning curve: it was written by an earlier version, train again."
    return Curve(rmse, chosen, validation)


def costs_little(finished: TrainingRun) -> bool:
    """Whether other sizes are fitted in a moment, so that a training job may do it, too."""
    alone = len(finished.container.cluster().hosts) == 1
    parts = finished.config.components.values()
    quick = all(finished.config.of(part.Options).is_quick for part in parts if SIZE in part.own_options())
    return alone and quick and len(finished.data) <= MAX_RATINGS


def sizes(finished: TrainingRun, command: str) -> Sizes | str:
    """The error of each size, all else as it was, or what is missing for it.

    Args:
        finished: the training.
        command: fits the sizes; empty where they are to be fitted here.
    """
    if not finished.metrics.get("num_validation_ratings"):
        return NO_VALIDATION
    if command:
        return f"Other sizes take longer than a training job should: {command} fits them."
    own = getattr(finished.config, SIZE)
    tried = progress(sorted({*SIZES, own}), "fitting other sizes of the embeddings")
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
