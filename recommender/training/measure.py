"""The evaluation of a trained model on the test channel, compared with the paper's pipeline."""

from dataclasses import replace

import numpy as np
import pandas as pd

from recommender.artifacts.model_folder import Model
from recommender.common.output import say
from recommender.common.progress import progress
from recommender.components.fit_context import FitContext
from recommender.data.interactions import Interactions
from recommender.evaluation.evaluate import Rows, evaluate
from recommender.evaluation.metric_names import PAPER
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender


def measure(recommender: Recommender, held_out: pd.DataFrame | None, data: Interactions) -> Rows | None:
    """Measure the rows of the test channel. Return None without the channel.

    Args:
        recommender: the model, loaded from its folder as a server does.
        held_out: the rows, from `channels.read_events`.
        data: the events that the model was fitted to.
    """
    if held_out is None:
        return None
    paper = paper_pipeline(recommender.model, data)
    others = {} if paper is None else {PAPER: paper}
    rows = evaluate(recommender, held_out, lambda users: progress(users, "evaluating users"), others)
    if seen := _num_seen(rows, recommender.model):
        say(
            f"warning: {seen:,} of {len(rows):,} test events have an item that their user has in train, too. "
            "Recommendations leave out such items, so these events count as misses"
        )
    return rows


def _num_seen(rows: Rows, model: Model) -> int:
    """Return the number of rows with an item in the training history of their user; O(events)."""
    histories, num_items = model.histories, len(model.items)
    user_num = np.repeat(np.arange(len(model.users)), np.diff(histories.offsets))
    is_known = (rows.user_num >= 0) & (rows.item_num >= 0)
    pairs = rows.user_num[is_known] * num_items + rows.item_num[is_known]
    return int(np.isin(pairs, user_num * num_items + histories.item_num).sum())


def paper_pipeline(model: Model, data: Interactions) -> Recommender | None:
    """Return the paper's pipeline on the fitted sources of a model. Its ranking uses titles only.

    Returns:
        None if the model already has this pipeline, or if it lacks a source of it.
    """
    if model.config.pipeline == "paper":
        return None
    config = paper_config(model.config)
    if not {*config.source_names} <= model.sources.keys():
        return None
    context = FitContext(data, titles=[model.titles.text(number) for number in range(len(model.titles))])
    features = {name: feature.fit(context, config.of(feature.Options)) for name, feature in config.features.items()}
    return Recommender(replace(model, config=config, features=features, ranking=None))


def paper_config(config: TrainConfig) -> TrainConfig:
    """Return the configuration of the paper's pipeline, with all values that have an effect there."""
    left_out = {"candidate_sources", "scored_sources", *config.unused}
    values = config.model_dump(include=config.model_fields_set - left_out)
    return TrainConfig.model_validate({**values, "pipeline": "paper"})
