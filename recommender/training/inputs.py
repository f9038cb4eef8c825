"""The channels of a training job -> the ratings to fit, to validate on and to test with, and the titles."""

import pandas as pd

from recommender.common.progress import say
from recommender.data.channels import read_ratings, read_titles
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Channel, Container


def training_data(config: TrainConfig, container: Container) -> tuple[Interactions, Interactions | None]:
    """Read the ratings to fit, and the ratings to validate on if there is a validation channel.

    Raises:
        RecommenderError: a channel is missing, or can't be read.
    """
    ratings = _ratings(config, container.required_channel("train"))
    data = Interactions.from_frame(ratings).without_duplicates(config.duplicates)
    validation = _known(data, _optional(config, container, "validation"))
    say(f"{len(data):,} ratings, {len(data.users):,} users, {len(data.items):,} items")
    return data, validation


def held_out_ratings(config: TrainConfig, container: Container) -> pd.DataFrame | None:
    """Read the rows of the test channel, as `channels.read_ratings` returns them; None without the channel.

    Raises:
        RecommenderError: the channel can't be read.
    """
    return _optional(config, container, "test")


def item_titles(container: Container) -> pd.DataFrame | None:
    """Read the rows of the items channel, as `channels.read_titles` returns them; None without the channel.

    Raises:
        RecommenderError: the channel can't be read.
    """
    channel = container.channel("items")
    if channel is None:
        return None
    with open_channel(channel.location, channel.content_type) as files:
        return read_titles(files)


def _known(data: Interactions, ratings: pd.DataFrame | None) -> Interactions | None:
    """Return the validation ratings with user and item in the training ratings; None without the channel."""
    if ratings is None:
        return None
    known = data.known(ratings)
    if len(known) < len(ratings):
        say(f"{len(ratings) - len(known):,} of {len(ratings):,} validation ratings left out: user or item not in train")
    return known


def _optional(config: TrainConfig, container: Container, name: str) -> pd.DataFrame | None:
    channel = container.channel(name)
    return None if channel is None else _ratings(config, channel)


def _ratings(config: TrainConfig, channel: Channel) -> pd.DataFrame:
    with open_channel(channel.location, channel.content_type) as files:
        return read_ratings(files, config.rating_min, config.rating_max)
