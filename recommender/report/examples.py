"""Example users: their histories, recommendations and reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.evaluation.evaluate import Rows
from recommender.evaluation.metric_names import DEPTH
from recommender.pipeline.limits import LIMITS
from recommender.pipeline.recommendations import Because, RecommendedItem
from recommender.pipeline.recommender import Recommender
from recommender.training.training_run import TrainingRun

USERS, HISTORY, HELD_OUT = 5, 8, 3
MAX_CHARACTERS = 100  # in a title or an ID


@dataclass(frozen=True)
class Seen:
    """An item of a history: its title, or else its ID, and the rating; None if the event has none."""

    title: str
    rating: float | None


@dataclass(frozen=True)
class HeldOut:
    """An event of the test channel.

    Attributes:
        title: title of the item.
        rating: the actual rating; None without ratings.
        predicted: the predicted rating; None if no source predicts ratings.
        place: position of the item among the first 100 recommendations, from 1; None if it is not among them.
    """

    title: str
    rating: float | None
    predicted: float | None
    place: int | None


@dataclass(frozen=True)
class Why:
    """A part of a recommendation's score.

    Attributes:
        source: the source or feature that gives it.
        share: the part, from 0 to 1.
        titles: titles of the items in the history that it mainly comes from.
        words: words that the titles share.
        text: a few words; None if the titles say it.
    """

    source: str
    share: float
    titles: list[str]
    words: list[str]
    text: str | None


@dataclass(frozen=True)
class Shown:
    """A recommendation.

    Attributes:
        title: title of the item.
        predicted: the predicted rating; None if no source predicts ratings.
        features: the values that sources and features show, by field.
        sources: the sources that propose it.
        because: the largest parts of its score.
        hit: whether it is in the test channel.
    """

    title: str
    predicted: float | None
    features: Mapping[str, float | None]
    sources: list[str]
    because: list[Why]
    hit: bool


@dataclass(frozen=True)
class Example:
    """A user, with the latest `HISTORY` items of the history, newest first, and the first `HELD_OUT` test items."""

    user_id: str
    events: int
    history: list[Seen]
    held_out: list[HeldOut]
    shown: list[Shown]


def examples(finished: TrainingRun) -> list[Example]:
    """Return at most `USERS` users, least active first; they are of the test channel if it has known users."""
    model, rows = finished.recommender.model, finished.rows
    tested = np.empty(0, np.int64) if rows is None else np.unique(rows.user_num[rows.user_num >= 0])
    users = tested if len(tested) else np.arange(len(model.users))
    return [example(finished, user) for user in spread(users, np.diff(model.histories.offsets)[users]).tolist()]


def spread(users: NDArray[np.int64], ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return users at equal distances in the order of their numbers of ratings, with the first and the last."""
    order = users[np.lexsort((users, ratings))]
    return order[np.unique(np.linspace(0, len(order) - 1, USERS).astype(int))]


def example(finished: TrainingRun, user_num: int) -> Example:
    """Return the part of the report about a user."""
    model = finished.recommender.model
    known = model.histories.of(user_num)
    item_num, rating = known.item_num[::-1], known.rating[::-1]
    history = [
        Seen(title_of(finished.recommender, item), None if np.isnan(stars) else stars)
        for item, stars in zip(item_num[:HISTORY].tolist(), rating[:HISTORY].tolist(), strict=True)
    ]
    user_id = model.users.id(user_num)
    items = finished.recommender.recommend(user_id, top_k=DEPTH).items
    tested = _held_out_items(finished, user_num)
    shown = [_shown(finished.recommender, item, item.item_id in tested) for item in items[: LIMITS.top_k]]
    places = {item.item_id: place for place, item in enumerate(items, 1)}
    return Example(cut(user_id), len(item_num), history, _held_out(finished, user_num, places), shown)


def title_of(recommender: Recommender, item_num: int) -> str:
    """Return the title of an item; its ID if it has no title."""
    model = recommender.model
    return cut(model.titles.text(item_num) or model.items.id(item_num))


def cut(text: str) -> str:
    """Cut a text to `MAX_CHARACTERS`."""
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _shown(recommender: Recommender, item: RecommendedItem, hit: bool) -> Shown:
    because = [_why(recommender, part) for part in item.because]
    title = cut(item.title or item.item_id)
    return Shown(title, item.predicted_rating, item.features, list(item.sources), because, hit)


def _why(recommender: Recommender, part: Because) -> Why:
    numbers = [number for item_id in part.item_ids if (number := recommender.model.items.number(item_id)) is not None]
    titles = [title_of(recommender, number) for number in numbers]
    return Why(part.source, part.share, titles, [cut(word) for word in part.words], part.text)


def _held_out_items(finished: TrainingRun, user_num: int) -> set[str]:
    rows = finished.rows
    return set() if rows is None else set(rows.test["item_id"][rows.user_num == user_num])


def _held_out(finished: TrainingRun, user_num: int, places: Mapping[str, int]) -> list[HeldOut]:
    if finished.rows is None:
        return []
    own = np.flatnonzero(finished.rows.user_num == user_num)[:HELD_OUT]
    return [_held_out_row(finished.recommender, finished.rows, row, places) for row in own.tolist()]


def _held_out_row(recommender: Recommender, rows: Rows, row: int, places: Mapping[str, int]) -> HeldOut:
    item_id, item_num = str(rows.test["item_id"].iloc[row]), int(rows.item_num[row])
    return HeldOut(
        title=cut(item_id) if item_num < 0 else title_of(recommender, item_num),
        rating=None if rows.rating is None else float(rows.rating[row]),
        predicted=None if rows.predicted is None else float(rows.predicted[row]),
        place=places.get(item_id),
    )
