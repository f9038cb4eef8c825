"""A shop of two tastes: who has had what, when, and titles that say which taste an item is of."""

from typing import Any

import numpy as np
import pandas as pd

from recommender.pipeline.recommender import Recommender
from recommender.training.api import train

NEWEST = 1_600_000_000  # seconds since 1970, of the newest event
DAY = 86_400
NUM_USERS, NUM_ITEMS, HAD = 60, 24, 7
SMALL: dict[str, Any] = {"embedding_dim": 4, "implicit_mf_embedding_dim": 8}  # quick to fit
KINDS = ("wool scarf", "silk dress")
COLOURS = ("red", "blue", "green", "grey", "black", "white")


def item(number: int) -> str:
    """Return the ID of an item: those of even numbers are of wool."""
    return f"{'ws'[number % 2]}{number:02d}"


def events(seed: int = 0) -> pd.DataFrame:
    """Return seven events of each of 60 users, of one taste, within two days of each other; a star is for taste."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(NUM_USERS):
        own = 2 * random.permutation(NUM_ITEMS // 2)[:HAD] + user % 2
        begin = random.integers(0, 28 * DAY)
        times = np.sort(random.choice(2 * DAY, HAD, replace=False)) + begin
        rows += [(f"u{user:02d}", item(one), 3.0 + one % 3, time) for one, time in zip(own, times, strict=True)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    return table.assign(timestamp=table["timestamp"] - table["timestamp"].max() + NEWEST)


def titles() -> pd.DataFrame:
    """Return the titles; the last two items are new and have no events."""
    ids = [item(number) for number in range(NUM_ITEMS + 2)]
    names = [f"{COLOURS[number // 2 % 6]} {KINDS[number % 2]} no{number:02d}" for number in range(NUM_ITEMS + 2)]
    return pd.DataFrame({"item_id": ids, "title": names})


def recommender(**hyperparameters: object) -> Recommender:
    """Train on the events and titles of the shop."""
    return train(events(), titles(), **{**SMALL, **hyperparameters})
