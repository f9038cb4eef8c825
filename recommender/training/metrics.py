"""The metrics that SageMaker reads from the log of a training job."""

from recommender.candidates.base import Role
from recommender.evaluation.metric_names import NUM_TARGETS, PAPER, metric_names, validation_name
from recommender.hyperparameters import TrainConfig, default_sources
from recommender.sagemaker import metrics


def metric_definitions(config: TrainConfig | None = None) -> list[dict[str, str]]:
    """Return the `MetricDefinitions` of a SageMaker training job.

    They cover the most informative metrics; metrics.json has all.

    Args:
        config: the hyper-parameters of the job; None: the defaults.
    """
    config = config or TrainConfig()
    of_fit = [name for component in config.components.values() for name in component.metrics]
    orders = list(dict.fromkeys([*config.source_names, *config.fallback_names]))
    if config.pipeline == "auto":
        of_fit += [*map(validation_name, ["final", *config.source_names]), NUM_TARGETS]
        if {*default_sources(Role.PAPER).split(",")} <= config.sources.keys():
            orders = [PAPER, *orders]
    return metrics.metric_definitions([*of_fit, *metric_names(orders)])
