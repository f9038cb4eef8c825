"""The results of a training job, for its report."""

from dataclasses import dataclass

from recommender.components.fit_context import Metrics
from recommender.data.interactions import Interactions
from recommender.evaluation.evaluate import Rows
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.sagemaker.environment import Container


@dataclass(frozen=True)
class TrainingRun:
    """A finished training.

    Attributes:
        container: the location of the job.
        config: the hyper-parameters, including those chosen on held-out events.
        recommender: the trained model.
        data: the events that the model was fitted to.
        validation: the rows of the validation channel with a known user and item; None without the channel.
        rows: the rows of the test channel with their measurements; None without the channel.
        metrics: the content of metrics.json.
    """

    container: Container
    config: TrainConfig
    recommender: Recommender
    data: Interactions
    validation: Interactions | None
    rows: Rows | None
    metrics: Metrics
