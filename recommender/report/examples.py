"""Some users: what they have rated, what they are shown and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.evaluate import Rows
from recommender.evaluation.ranking import NOT_RANKED
from recommender.pipeline.recommender import RecommendedItem, Recommender
from recommender.training.training_run import TrainingRun

USERS, HISTORY, HELD_OUT = 5, 8, 3
MAX_CHARACTERS = 100  # of a title or an id


@dataclass(frozen=True)
class Rated:
    """An item of a history, by its title where there is one."""

    title: str
    rating: float


@dataclass(frozen=True)
class HeldOut:
    """A rating of the test channel.

    Attributes:
        title: of the item.
        rating: what was rated.
        predicted: what was predicted; None if no source predicts ratings.
        place: of the item in the recommendations, from 1; None where it is not among them.
    """

    title: str
    rating: float
    predicted: float | None
    place: int | None


@dataclass(frozen=True)
class Shown:
    """A recommendation.

    Attributes:
        title: of the item.
        predicted: the predicted rating; None if there is none.
        features: what the ranking features show, by field.
        because: title of the item of the history that weighs most; None where none does.
        hit: whether it is in the test channel.
    """

    title: str
    predicted: float | None
    features: Mapping[str, float | None]
    because: str | None
    hit: bool


@dataclass(frozen=True)
class Example:
    """A user; of the history the latest `HISTORY` items, newest first, of the test channel the first `HELD_OUT`."""

    user_id: str
    ratings: int
    history: list[Rated]
    held_out: list[HeldOut]
    shown: list[Shown]


def examples(finished: TrainingRun) -> list[Example]:
    """At most `USERS` users from the least active to the most, of the test channel if it has any that are known."""
    model, rows = finished.recommender.model, finished.rows
    tested = np.empty(0, np.int64) if rows is None else np.unique(rows.user_num[rows.user_num >= 0])
    users = tested if len(tested) else np.arange(len(model.users))
    return [example(finished, user) for user in spread(users, np.diff(model.histories.offsets)[users]).tolist()]


def spread(users: NDArray[np.int64], ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the users in the order of their ratings some at equal distances, the first and the last among them."""
    order = users[np.lexsort((users, ratings))]
    return order[np.unique(np.linspace(0, len(order) - 1, USERS).astype(int))]


def example(finished: TrainingRun, user_num: int) -> Example:
    """What the page says of a user."""
    model = finished.recommender.model
    item_num, rating = (column[::-1] for column in model.histories.of(user_num))
    history = [
        Rated(title_of(finished.recommender, item), stars)
        for item, stars in zip(item_num[:HISTORY].tolist(), rating[:HISTORY].tolist(), strict=True)
    ]
    user_id = model.users.id(user_num)
    items = finished.recommender.recommend(user_id).items
    tested = _held_out_items(finished, user_num)
    shown = [_shown(finished.recommender, item, item.item_id in tested) for item in items]
    return Example(cut(user_id), len(item_num), history, _held_out(finished, user_num), shown)


def title_of(recommender: Recommender, item_num: int) -> str:
    """The title of an item, its id where there is none."""
    model = recommender.model
    return cut(model.titles.text(item_num) or model.items.id(item_num))


def cut(text: str) -> str:
    """At most `MAX_CHARACTERS` of a text."""
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _shown(recommender: Recommender, item: RecommendedItem, hit: bool) -> Shown:
    reason = None if item.because is None else recommender.model.items.number(item.because)
    because = None if reason is None else title_of(recommender, reason)
    return Shown(cut(item.title or item.item_id), item.predicted_rating, item.features, because, hit)


def _held_out_items(finished: TrainingRun, user_num: int) -> set[str]:
    rows = finished.rows
    return set() if rows is None else set(rows.test["item_id"][rows.user_num == user_num])


def _held_out(finished: TrainingRun, user_num: int) -> list[HeldOut]:
    if finished.rows is None:
        return []
    own = np.flatnonzero(finished.rows.user_num == user_num)[:HELD_OUT]
    return [_held_out_row(finished.recommender, finished.rows, row) for row in own.tolist()]


def _held_out_row(recommender: Recommender, rows: Rows, row: int) -> HeldOut:
    item_num, rank = int(rows.item_num[row]), int(rows.rank[row])
    return HeldOut(
        title=cut(str(rows.test["item_id"].iloc[row])) if item_num < 0 else title_of(recommender, item_num),
        rating=float(rows.rating[row]),
        predicted=None if rows.predicted is None else float(rows.predicted[row]),
        place=None if rank == NOT_RANKED else rank + 1,
    )
