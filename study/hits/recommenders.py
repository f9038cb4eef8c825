"""The project's own contestants: its pipelines, and each of its candidate sources alone."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recommender.candidates import SOURCES
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.evaluation.ranking import Items
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model
from study.data import Data
from study.hits.contestants import Contestant, Params, Times
from study.hits.peers import SEEDS
from study.hits.scoring import DEPTH, Recommend
from study.responses import padded


def pipeline(
    train: Interactions, titles: Sequence[str], params: Params, seed: int, times: Times | None = None
) -> Recommend:
    """Return the recommendations of the server: train.py's model with these hyper-parameters, run by the server's code.

    Each user makes a request at the time of the test event, and later events do not count. Without `times`, the request
    comes at the time of the user's newest train event and begins a new session.
    """
    config = TrainConfig.from_hyperparameters({**params, "seed": seed}, "study")
    recommender = Recommender(fit_model(config, FitContext(train, titles=titles)))
    histories, unit = recommender.model.histories, train.seconds_per_unit

    def recommend(users: NDArray[np.int64]) -> Items:
        nows = [None] * len(users) if times is None else histories.seconds(times, unit)
        with threadpool_limits(1, user_api="blas"):
            orders = [
                recommender.orders_by_name(train.users.id(user), DEPTH, now=now)["final"]
                for user, now in zip(users.tolist(), nows, strict=True)
            ]
        return padded(orders, DEPTH)

    return recommend


def unsuited(name: str, data: Data) -> str | None:
    """Return the reason why a source does not suit a data set; None if it does."""
    source = SOURCES[name]
    return source.unsuited(FitContext(data.train, titles=data.titles), source.Options())


# The project's own rows. The others are compared with the first.
OURS = Contestant("ours", "ours", pipeline, seeds=SEEDS, uses_titles=True, timed=pipeline)
OUR_CONTESTANTS = (
    OURS,
    Contestant(
        "ours: the paper's pipeline", "ours", pipeline, [{"pipeline": "paper"}], uses_titles=True, needs_ratings=True
    ),
    *(
        Contestant(
            f"ours: {name} alone",
            "source",
            pipeline,
            [{"candidate_sources": name}],
            uses_titles=True,
            timed=pipeline,
            unsuited=partial(unsuited, name),
        )
        for name in SOURCES
    ),
)
