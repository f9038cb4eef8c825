"""Training data -> a fitted model: each component in use is fitted, in the order of the configuration."""

from typing import Any

import pandas as pd

from recommender.artifacts.model_folder import Model
from recommender.candidates import SOURCES
from recommender.common.progress import say
from recommender.components.fit_context import FitContext
from recommender.data.histories import Histories
from recommender.data.interactions import Interactions
from recommender.data.vocabulary import StringTable
from recommender.hyperparameters import TrainConfig
from recommender.ranking.features import FEATURES


def fit_model(config: TrainConfig, context: FitContext) -> Model:
    """Fit all components in use; their metrics are in the context afterwards.

    Raises:
        RecommenderError: a fit failed.
    """
    fitted: dict[str, Any] = {
        name: component.fit(context, config.of(component.Options)) for name, component in config.components.items()
    }
    return Model(
        config=config,
        users=context.data.users,
        items=context.data.items,
        histories=Histories.from_interactions(context.data),
        titles=StringTable.from_strings(context.titles),
        sources={name: part for name, part in fitted.items() if name in SOURCES},
        features={name: part for name, part in fitted.items() if name in FEATURES},
    )


def titles_of(data: Interactions, titles: pd.DataFrame | None) -> list[str]:
    """Return the title of every item, '' if unknown; the first non-empty title of an item counts.

    Args:
        data: the data set with the items.
        titles: item_id and title, as `channels.read_titles` returns them.
    """
    known: dict[str, str] = {}
    if titles is not None:
        named = titles[titles["title"].str.strip() != ""].drop_duplicates("item_id")
        known = dict(zip(named["item_id"], named["title"], strict=True))
    found = [known.get(item_id, "") for item_id in data.items]
    say(f"{sum(map(bool, found)):,} of {len(found):,} items have a title")
    return found
