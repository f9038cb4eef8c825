"""The channels of a training job -> events for training, validation and test, and titles."""

import pandas as pd

from recommender.attributes.attributes import Attributes
from recommender.common.output import say
from recommender.data.channels import read_events, read_items
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.data.vocabulary import Vocabulary
from recommender.errors import ConfigError
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Channel, Container


def training_data(
    config: TrainConfig, container: Container, titles: pd.DataFrame | None
) -> tuple[Interactions, Interactions | None]:
    """Read the events of the train channel, and of the validation channel if it exists.

    Args:
        config: the hyper-parameters.
        container: the location of the channels.
        titles: titles from `item_titles`; the catalogue includes their items, see `with_titled_items`.

    Raises:
        RecommenderError: a channel is missing or can't be read, or the two channels have different units of time.
    """
    events = _events(config, container.required_channel("train"))
    data = with_titled_items(Interactions.from_frame(events).without_duplicates(config.duplicates), titles, config)
    validation = _known_events(data, _optional(config, container, "validation"))
    say(f"{len(data):,} {_word_for_events(data)}, {len(data.users):,} users, {len(data.items):,} items")
    return data, validation


def with_titled_items(data: Interactions, titles: pd.DataFrame | None, config: TrainConfig) -> Interactions:
    """Return the events, with items added to the catalogue that have a title and no events.

    The source `titles` can propose these items. The pipeline paper can't, so it only has the items with events.
    """
    if titles is None or config.pipeline == "paper":
        return data
    known = len(data.items)
    data = data.with_items(titles["item_id"][titles["title"].str.strip() != ""])
    if len(data.items) > known:
        say(f"{len(data.items) - known:,} items have a title and no events: only the source titles can propose them")
    return data


def held_out_events(config: TrainConfig, container: Container, data: Interactions) -> pd.DataFrame | None:
    """Read the rows of the test channel with `channels.read_events`. Return None without the channel.

    Args:
        config: the hyper-parameters.
        container: the location of the channel.
        data: the events of the train channel. The times of both channels must have the same unit.

    Raises:
        RecommenderError: the channel can't be read, or its times have another unit.
    """
    events = _optional(config, container, "test")
    if events is not None:
        data.check_unit_of(events, "channel test")
    return events


def item_titles(config: TrainConfig, container: Container) -> pd.DataFrame | None:
    """Read the rows of the items channel with `channels.read_items`. Return None without the channel.

    Raises:
        RecommenderError: the channel can't be read.
    """
    channel = container.channel("items")
    if channel is None:
        return None
    with open_channel(channel.location, channel.content_type) as files:
        return read_items(files, config)


def item_attributes(config: TrainConfig, items: Vocabulary, titled: pd.DataFrame | None) -> Attributes:
    """Return the attributes of the items of the catalogue.

    Args:
        config: the hyper-parameters.
        items: the catalogue.
        titled: the rows of the items channel; None without the channel.

    Raises:
        ConfigError: the attribute with the parents does not exist, or items do not share its values.
    """
    found = Attributes.from_frame(items, titled)
    if config.parent_attribute:
        try:
            found.check_shared(config.parent_attribute)
        except ValueError as error:
            raise ConfigError(f"hyper-parameter 'parent_attribute': {error}") from None
    return found


def _known_events(data: Interactions, events: pd.DataFrame | None) -> Interactions | None:
    """Return the validation events with a user and an item of the training events; None without the channel."""
    if events is None:
        return None
    known = data.known(events)
    if len(known) < len(events):
        left_out = f"{len(events) - len(known):,} of {len(events):,} validation {_word_for_events(known)}"
        say(f"{left_out} left out: user or item not in train")
    return known


def _word_for_events(data: Interactions) -> str:
    return "events" if data.rating is None else "ratings"


def _optional(config: TrainConfig, container: Container, name: str) -> pd.DataFrame | None:
    channel = container.channel(name)
    return None if channel is None else _events(config, channel)


def _events(config: TrainConfig, channel: Channel) -> pd.DataFrame:
    with open_channel(channel.location, channel.content_type) as files:
        return read_events(files, config)
