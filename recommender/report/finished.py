"""What a training leaves: all that the page is made from."""

from dataclasses import dataclass

from recommender.config import TrainConfig
from recommender.container import Container
from recommender.data.interactions import Interactions
from recommender.evaluation.evaluate import Metrics, Rows
from recommender.pipeline import Recommender


@dataclass(frozen=True)
class Finished:
    """A finished training.

    Attributes:
        container: where it lies.
        config: what it was trained with.
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
