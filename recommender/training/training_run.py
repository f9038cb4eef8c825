"""The results of a training job, from which its report is built."""

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
        container: its location.
        config: its hyper-parameters, with what was chosen on validation data.
        recommender: its model.
        data: the events that it was fitted to.
        validation: the rows of the validation channel that the model knows; None without the channel.
        rows: the rows of the test channel with their measurements; None without the channel.
        metrics: metrics.json.
    """

    container: Container
    config: TrainConfig
    recommender: Recommender
    data: Interactions
    validation: Interactions | None
    rows: Rows | None
    metrics: Metrics
