"""Training from Python: a DataFrame of events -> a recommender."""

from dataclasses import replace

import pandas as pd

from recommender.common.extras import missing_package
from recommender.components.fit_context import FitContext
from recommender.data.frames import checked_events, checked_items
from recommender.data.interactions import Interactions
from recommender.hyperparameters import TrainConfig
from recommender.pipeline.recommender import Recommender
from recommender.training.fit_model import fit_model, titles_of
from recommender.training.inputs import item_attributes, with_titled_items


def train(
    events: pd.DataFrame,
    titles: pd.DataFrame | None = None,
    validation: pd.DataFrame | None = None,
    **hyperparameters: object,
) -> Recommender:
    """Fit a recommender in memory, as train.py does from files. `save` writes the model folder.

    Args:
        events: columns user_id, item_id and optionally rating, timestamp, weight and event_type. The hyper-parameter
            `columns` sets other column names, for all frames.
        titles: columns item_id and title. The first non-empty title of an item counts.
        validation: columns as in `events`; by default each user's last event is held out for validation.
        hyperparameters: hyper-parameters by name, such as embedding_dim=50.

    Raises:
        ConfigError: a hyper-parameter is unknown, has the wrong type or is out of range.
        DataError: a column is missing, or a value is invalid.
        FitError: the fit reached numbers that are not finite.
        MissingPackageError: a package that training needs is not installed.
    """
    config = TrainConfig.from_hyperparameters(hyperparameters, "train()")
    titled = None if titles is None else checked_items("titles", titles, config)
    data = Interactions.from_frame(checked_events("events", events, config)).without_duplicates(config.duplicates)
    data = with_titled_items(data, titled, config)
    attributes = item_attributes(config, data.items, titled)
    known = None
    if validation is not None:
        known = data.known(checked_events("validation", validation, config))
    try:
        model = fit_model(config, FitContext(data, known, titles_of(data, titled)))
        return Recommender(replace(model, attributes=attributes))
    except ModuleNotFoundError as error:
        raise (missing_package(error) or error) from None
