"""The channels of a training job -> the events to fit, to validate on and to test with, and the titles."""

import pandas as pd

from recommender.common.output import say
from recommender.data.channels import read_events, read_titles
from recommender.data.interactions import Interactions
from recommender.data.sources import open_channel
from recommender.hyperparameters import TrainConfig
from recommender.sagemaker.environment import Channel, Container


def training_data(
    config: TrainConfig, container: Container, titles: pd.DataFrame | None
) -> tuple[Interactions, Interactions | None]:
    """Read the events to fit, and the events to validate on if there is a validation channel.

    Args:
        config: the hyper-parameters.
        container: the location of the channels.
        titles: as `item_titles` returns them; the catalogue has their items, see `with_titled_items`.

    Raises:
        RecommenderError: a channel is missing or can't be read, or the two have different units of time.
    """
    events = _events(config, container.required_channel("train"))
    data = with_titled_items(Interactions.from_frame(events).without_duplicates(config.duplicates), titles, config)
    validation = _known(data, _optional(config, container, "validation"))
    say(f"{len(data):,} {_called(data)}, {len(data.users):,} users, {len(data.items):,} items")
    return data, validation


def with_titled_items(data: Interactions, titles: pd.DataFrame | None, config: TrainConfig) -> Interactions:
    """Return the events over a catalogue that also has the items with a title and no events.

    The source `titles` reaches them. The pipeline paper does not; there the catalogue has the items with events.
    """
    if titles is None or config.pipeline == "paper":
        return data
    known = len(data.items)
    data = data.with_items(titles["item_id"][titles["title"].str.strip() != ""])
    if len(data.items) > known:
        say(f"{len(data.items) - known:,} items have a title and no events: only their titles can propose them")
    return data


def held_out_events(config: TrainConfig, container: Container, data: Interactions) -> pd.DataFrame | None:
    """Read the rows of the test channel, as `channels.read_events` returns them; None without the channel.

    Args:
        config: the hyper-parameters.
        container: the location of the channel.
        data: the events of the train channel; the times of the test channel must have their unit.

    Raises:
        RecommenderError: the channel can't be read, or its times have another unit.
    """
    events = _optional(config, container, "test")
    if events is not None:
        data.check_unit_of(events, "channel test")
    return events


def item_titles(config: TrainConfig, container: Container) -> pd.DataFrame | None:
    """Read the rows of the items channel, as `channels.read_titles` returns them; None without the channel.

    Raises:
        RecommenderError: the channel can't be read.
    """
    channel = container.channel("items")
    if channel is None:
        return None
    with open_channel(channel.location, channel.content_type) as files:
        return read_titles(files, config)


def _known(data: Interactions, events: pd.DataFrame | None) -> Interactions | None:
    """Return the validation events with user and item in the training events; None without the channel."""
    if events is None:
        return None
    known = data.known(events)
    if len(known) < len(events):
        left_out = f"{len(events) - len(known):,} of {len(events):,} validation {_called(known)}"
        say(f"{left_out} left out: user or item not in train")
    return known


def _called(data: Interactions) -> str:
    return "events" if data.rating is None else "ratings"


def _optional(config: TrainConfig, container: Container, name: str) -> pd.DataFrame | None:
    channel = container.channel(name)
    return None if channel is None else _events(config, channel)


def _events(config: TrainConfig, channel: Channel) -> pd.DataFrame:
    with open_channel(channel.location, channel.content_type) as files:
        return read_events(files, config)
