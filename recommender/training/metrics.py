"""The metrics that a training job prints for SageMaker to read."""

from recommender.evaluation.metric_names import metric_names
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker import metrics


def metric_definitions(config: TrainConfig | None = None) -> list[dict[str, str]]:
    """Return `MetricDefinitions` of a SageMaker training job with this configuration, by default the default one."""
    config = config or TrainConfig()
    of_fit = [name for component in config.components.values() for name in component.metrics]
    sources = dict.fromkeys([*config.source_names, *config.fallback_names])
    return metrics.metric_definitions([*of_fit, *metric_names(sources)])
