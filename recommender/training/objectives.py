"""The objectives of a search for hyper-parameters. Launching a search imports this module, so it imports no pandas."""

from dataclasses import dataclass

from recommender.config import Range
from recommender.errors import ConfigError
from recommender.evaluation.metric_names import validation_name
from recommender.hyperparameters import TrainConfig


@dataclass(frozen=True)
class Objective:
    """An objective of a search.

    Attributes:
        metric: the metric of a training job to optimize.
        maximize: whether the highest value is the best; otherwise the lowest is.
        of_source: whether a single source measures it; otherwise the whole pipeline does.
    """

    metric: str
    maximize: bool
    of_source: bool


OBJECTIVES = {
    "rmse": Objective("validation_rmse", maximize=False, of_source=True),
    "ndcg": Objective(validation_name("final"), maximize=True, of_source=False),
}


def objective_of(config: TrainConfig, name: str | None = None) -> Objective:
    """Return the objective with this name; by default the objective of the pipeline.

    Raises:
        ConfigError: the pipeline does not measure it.
    """
    is_paper = config.pipeline == "paper"
    if name == "ndcg" and is_paper:
        raise ConfigError(
            "objective 'ndcg': the pipeline paper does not measure NDCG on validation data: set pipeline to auto, or "
            "the objective to rmse"
        )
    return OBJECTIVES[name or ("rmse" if is_paper else "ndcg")]


def search_space(config: TrainConfig, objective: Objective) -> dict[str, Range]:
    """Return the ranges of the hyper-parameters that may change the objective, without those that the user set."""
    measuring = {name for name, part in config.components.items() if objective.metric in part.metrics}
    return {
        name: values
        for name, values in config.search_space.items()
        if not objective.of_source or config.owners[name][0] in measuring
    }
