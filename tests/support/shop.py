"""A shop with two tastes: events with times, and titles that name an item's taste."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recommender.attributes.attributes import Attributes
from recommender.pipeline.recommender import Recommender
from recommender.training.api import train

NEWEST = 1_600_000_000  # seconds since 1970, of the newest event
DAY = 86_400
NUM_USERS, NUM_ITEMS, EVENTS_PER_USER = 60, 24, 7
SMALL: dict[str, Any] = {"embedding_dim": 4, "implicit_mf_embedding_dim": 8}  # quick to fit
KINDS = ("wool scarf", "silk dress")
COLOURS = ("red", "blue", "green", "grey", "black", "white")


def item(number: int) -> str:
    """Return the ID of an item; items with even numbers are of wool."""
    return f"{'ws'[number % 2]}{number:02d}"


def events(seed: int = 0) -> pd.DataFrame:
    """Return seven events for each of 60 users: all of one taste, all within two days, with ratings from 3 to 5."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(NUM_USERS):
        own = 2 * random.permutation(NUM_ITEMS // 2)[:EVENTS_PER_USER] + user % 2
        begin = random.integers(0, 28 * DAY)
        times = np.sort(random.choice(2 * DAY, EVENTS_PER_USER, replace=False)) + begin
        rows += [(f"u{user:02d}", item(one), 3.0 + one % 3, time) for one, time in zip(own, times, strict=True)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    return table.assign(timestamp=table["timestamp"] - table["timestamp"].max() + NEWEST)


def titles() -> pd.DataFrame:
    """Return the titles of all items; the last two are new and have no events."""
    ids = [item(number) for number in range(NUM_ITEMS + 2)]
    names = [f"{COLOURS[number // 2 % 6]} {KINDS[number % 2]} no{number:02d}" for number in range(NUM_ITEMS + 2)]
    return pd.DataFrame({"item_id": ids, "title": names})


def recommender(**hyperparameters: object) -> Recommender:
    """Train on the events and titles of the shop."""
    return train(events(), titles(), **{**SMALL, **hyperparameters})


def attributes() -> pd.DataFrame:
    """Return item_id, title and five typed attributes of all items; some values are missing."""
    table, numbers = titles(), range(NUM_ITEMS + 2)
    columns = {
        "price": pa.array([None if number % 9 == 4 else 5.0 * (number % 6) for number in numbers], pa.float64()),
        "store": pa.array([None if number % 7 == 3 else "ABC"[number % 3] for number in numbers], pa.large_string()),
        "categories": pa.array(
            [None if number % 8 == 5 else [KINDS[number % 2], COLOURS[number // 2 % 6]] for number in numbers],
            pa.large_list(pa.large_string()),
        ),
        "in_stock": pa.array([None if number % 10 == 6 else number % 4 > 0 for number in numbers], pa.bool_()),
        "released": pa.array([(NEWEST - number * DAY) * 1000 for number in numbers]).cast(pa.timestamp("ms")),
    }
    return table.assign(**{name: pd.array(values, pd.ArrowDtype(values.type)) for name, values in columns.items()})


def with_attributes(recommender: Recommender) -> Recommender:
    """Return the recommender of the same model with the attributes of the shop."""
    found = Attributes.from_frame(recommender.model.items, attributes())
    return Recommender(replace(recommender.model, attributes=found))
