"""What a training job leaves: all that its report is made from."""

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
        container: where it lies.
        config: its hyper-parameters.
        recommender: its model.
        data: the ratings it was fitted to.
        validation: those of its channel that the model knows; None without the channel.
        rows: every row of the test channel, measured; None without the channel.
        metrics: metrics.json.
    """

    container: Container
    config: TrainConfig
    recommender: Recommender
    data: Interactions
    validation: Interactions | None
    rows: Rows | None
    metrics: Metrics
